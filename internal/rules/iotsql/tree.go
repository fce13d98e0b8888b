package iotsql

// span is where a piece of a statement stands: byte offsets, the end not
// included.
type span struct{ start, end int }

func (s span) place() span { return s }

// node is an expression of a parsed statement.
type node interface{ place() span }

type (
	literalNode struct {
		span
		value Value
	}
	starNode struct{ span }
	nameNode struct {
		span
		name string
	}
	variableNode struct {
		span
		name string
	}
	memberNode struct {
		span
		of   node
		name string
	}
	indexNode struct {
		span
		of, index node
	}
	callNode struct {
		span
		name      string
		arguments []node
	}
	castNode struct {
		span
		of   node
		to   castType
		word string
	}
	caseNode struct {
		span
		subject   node
		arms      []caseArm
		otherwise node // nil: none
	}
	queryNode struct {
		span
		query *selectNode
	}
	existsNode struct {
		span
		query *selectNode
	}
	arrayNode struct {
		span
		elements []node
	}
	objectNode struct {
		span
		pairs []pair
	}
	unaryNode struct {
		span
		operator string // NOT, - or +
		of       node
	}
	binaryNode struct {
		span
		operator    string // upper case
		left, right node
	}
)

type caseArm struct{ when, then node }

type pair struct {
	key   string
	value node
}

// statementNode is a whole statement.
type statementNode struct {
	assignments []assignment
	selection   *selectNode
	filter      string
}

type assignment struct {
	span
	name  string
	value node
}

// selectNode is the SELECT of a statement or of a subquery.
type selectNode struct {
	span
	value node   // of SELECT VALUE, else nil
	items []item // else
	from  node   // of a subquery
	alias string // of a subquery's element
	where node   // nil: none
	nodes int    // how many nodes there are, for the cost of one pass
}

type item struct {
	expression node
	alias      []string // nil: none
}
