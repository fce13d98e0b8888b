package console

import (
	"bytes"
	"encoding/json"
)

// pretty indents a JSON document; what is none stays as it is. Numbers keep
// their digits.
func pretty(text []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return string(text)
	}
	return out.String()
}
