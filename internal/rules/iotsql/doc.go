// Package iotsql is the language of AWS IoT rules: SELECT … FROM 'topic/filter'
// WHERE …, with its functions, nested queries and the ${…} templates of rule
// actions.
//
//	query, err := iotsql.Parse("SELECT room, t FROM 'site/+/climate' WHERE t > 30", iotsql.V20160323)
//	result, err := query.Evaluate(&env, message)
//	if result.Matched { send(result.Payload) }
//
// A statement is parsed once into a tree (parser.go), the tree is compiled once
// into closures (compile.go), and these run for every message. A Query never
// changes afterwards and may be evaluated by many goroutines.
//
// The language has no type errors at run time: what makes no sense is Undefined,
// and Undefined is left out of the result. Only lookups that fail (a shadow that
// does not exist, a Lambda function that answers nonsense) and exceeded limits
// abort an evaluation. Nothing here knows a clock, disk or network: time,
// randomness and lookups come in through Env.
//
// Everything is bounded: the size and nesting of a statement, the steps and
// memory of an evaluation, the size of a result (limits.go).
package iotsql
