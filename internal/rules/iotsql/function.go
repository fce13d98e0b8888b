package iotsql

import (
	"slices"
	"strings"
	"sync"
)

// Function is a row of the function reference.
type Function struct {
	Name      string // names are not case-sensitive
	Arguments string // as a reader writes them: "x, places"; brackets around what may be left out
	Min, Max  int    // how many arguments; Max -1 is any number. A call with others is Undefined
	Since     Version
	Group     Group
	External  bool // a lookup: it may fail and abort the rule
	Doc       string
	Examples  []Example

	code     func(*evaluation, []Value) Value
	special  func(*compiler, *Function, *callNode) evaluator // instead of code
	bytes    bool                                            // * as the first argument is the payload's bytes
	literals []int                                           // arguments that must be strings in quotes
	roleLast bool                                            // so must the last one, a role
}

// Example is an expression and what comes of it: JSON text, or Undefined.
type Example struct {
	Expression string
	Result     string
	Version    Version // V20160323 where empty
}

// Group sorts the function reference.
type Group string

// The groups.
const (
	GroupNumbers     Group = "Numbers"
	GroupStrings     Group = "Strings"
	GroupTypes       Group = "Types and collections"
	GroupDates       Group = "Dates"
	GroupEnvironment Group = "Message and environment"
	GroupLookups     Group = "Lookups"
)

// Functions gives the function reference, by group and then in the order of
// similar functions. The slice is the caller's.
func Functions() []Function {
	return slices.Concat(numberFunctions(), doubleFunctions(), bitFunctions(), stringFunctions(), regexpFunctions(),
		hashFunctions(), typeFunctions(), codingFunctions(), dateFunctions(), messageFunctions(), lookupFunctions())
}

// functionsByName finds functions by their names in lower case. The table is
// made once and never modified.
var functionsByName = sync.OnceValue(func() map[string]*Function {
	table := Functions()
	byName := make(map[string]*Function, len(table))
	for i := range table {
		byName[strings.ToLower(table[i].Name)] = &table[i]
	}
	return byName
})

// Signature is the call as a reader writes it.
func (f Function) Signature() string { return f.Name + "(" + f.Arguments + ")" }

// example shortens the rows.
func example(expression, result string) Example {
	return Example{Expression: expression, Result: result}
}

// since2015 marks an example of the older version.
func since2015(expression, result string) Example {
	return Example{Expression: expression, Result: result, Version: V20151008}
}
