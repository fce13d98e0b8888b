package why

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// Every cause that can be recorded has words for people.
func TestEveryCauseHasWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "why.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if ident, ok := spec.Type.(*ast.Ident); ok && ident.Name == "Cause" {
			seen++
			value := Cause(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
			if value.Says() == "" {
				t.Errorf("%s has no words", value)
			}
		}
		return true
	})
	if seen != len(causes) {
		t.Errorf("%d causes are declared, %d have words", seen, len(causes))
	}
}

func TestSentence(t *testing.T) {
	e := Event{Step: StepConnect, Cause: PolicyImplicitDeny, Action: "iot:Connect", Resource: "arn:aws:iot:r:a:client/x", Detail: "no policy is attached"}
	want := "connect: no policy statement allows it: iot:Connect on arn:aws:iot:r:a:client/x (no policy is attached)"
	if got := e.Sentence(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
