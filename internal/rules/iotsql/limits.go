package iotsql

// The limits of statements. AWS publishes only that a whole rule has at most
// 128 KB; the others keep one rule from taking a node's memory.
const (
	statementMax = 128 << 10 // bytes of SQL, and of one template
	nestingMax   = 64        // parentheses, calls, arrays… inside each other
	nodesMax     = 16 << 10  // operators, operands and items of one statement
	filterMax    = 256       // bytes of a topic filter (AWS's limit for topics)
	patternMax   = 1 << 10   // bytes of a regular expression
	functionArgs = 1 << 10   // arguments of one call

	patternStatesMax = 4 << 10 // instructions of a regular expression
)

// The limits of one evaluation.
const (
	stepsMax     = 1 << 20   // about the number of operations
	memoryMax    = 16 << 20  // bytes of values made on the way
	resultMax    = 1 << 20   // bytes of the outgoing payload and of a rendered template
	payloadMax   = 1 << 20   // bytes of a payload that is read as JSON; AWS lets 128 KB into a rule
	payloadDepth = 256       // arrays and objects inside each other
	numericMax   = 2 << 10   // characters of a String that is read as a number
	setValueMax  = 128 << 10 // bytes of JSON of a SET variable, and of all together (AWS)
	setMax       = 10        // SET variables of a statement (AWS)
	variableMax  = 64        // characters of a variable's name (AWS)
	enrichedMax  = 128 << 10 // bytes of JSON that transform may give (AWS)
	paddingMax   = 1000      // spaces that lpad and rpad add (AWS)

	// Calls of a function in one evaluation (AWS).
	dynamoDBCallsMax = 1
	registryCallsMax = 1
	protobufCallsMax = 2
)
