package template

import (
	"strings"

	"thingd/internal/fault"
)

// checkSub takes "text" or ["text", {variable: value}].
func checkSub(t *Template, argument node) error {
	format, variables, ok := subArguments(argument)
	if !ok {
		return fault.InvalidRequest(`Fn::Sub takes a string, such as "dev-${SerialNumber}", or a list of a string and an object of variables`)
	}
	return eachVariable(format, func(name string) error {
		if _, own := variables[name]; own || t.knows(name) || isPolicyVariable(name) {
			return nil
		}
		return fault.InvalidRequest("Fn::Sub uses ${%s}, which is neither a parameter nor a variable", name)
	})
}

func subArguments(argument node) (format string, variables object, ok bool) {
	if all, isList := argument.(list); isList && len(all) == 2 {
		if variables, ok = all[1].(object); !ok {
			return "", nil, false
		}
		argument = all[0]
	}
	text, isLiteral := argument.(literal)
	if !isLiteral {
		return "", nil, false
	}
	format, ok = text.of.(string)
	return format, variables, ok
}

// isPolicyVariable says whether ${name} is for the policy that is being written
// and not for us: those stay as they are.
func isPolicyVariable(name string) bool {
	for _, prefix := range []string{"iot:", "aws:", "credentials-iot:", "cognito-identity.amazonaws.com:"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// eachVariable calls fn for the names between ${ and }; ${!name} is the text
// ${name} and no variable.
func eachVariable(format string, fn func(name string) error) error {
	return eachPiece(format, func(string) error { return nil }, fn)
}

func eachPiece(format string, text, variable func(string) error) error {
	for {
		before, rest, found := strings.Cut(format, "${")
		if err := text(before); err != nil || !found {
			return err
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return text("${" + rest)
		}
		fn := variable
		if escaped, is := strings.CutPrefix(name, "!"); is {
			fn, name = text, "${"+escaped+"}"
		}
		if err := fn(name); err != nil {
			return err
		}
		format = after
	}
}

// substitute is {"Fn::Sub": "dev-${SerialNumber}"}.
func substitute(e *evaluation, argument node) (any, error) {
	format, variables, _ := subArguments(argument)
	values := map[string]string{} // each variable is evaluated once, however often it is used
	var b strings.Builder
	text := func(piece string) error {
		b.WriteString(piece)
		return e.spend(len(piece))
	}
	err := eachPiece(format, text, func(name string) error {
		value, known := values[name]
		if !known {
			var err error
			if value, err = e.variable(name, variables); err != nil {
				return err
			}
			values[name] = value
		}
		return text(value)
	})
	return b.String(), err
}

// variable gives what stands for ${name}; that itself where it is for a policy, or
// where there is no value.
func (e *evaluation) variable(name string, variables object) (text string, err error) {
	var value any = unreplaced{name}
	if own, ok := variables[name]; ok {
		value, err = own.value(e)
	} else if !isPolicyVariable(name) {
		value, err = e.parameter(name)
	}
	if err != nil {
		return "", err
	}
	if _, is := value.(unreplaced); is {
		return "${" + name + "}", nil
	}
	return single(value, "the variable %s of Fn::Sub is not a string", name)
}
