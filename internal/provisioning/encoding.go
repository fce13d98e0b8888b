package provisioning

import (
	"encoding/json"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// encoding is one of the two that requests over MQTT come in; the answer has the
// request's.
type encoding struct {
	decode func(data []byte, into any) error
	encode func(value any) ([]byte, error)
}

// encodings are found by the last level of a topic.
type encodings map[string]encoding

// newEncodings makes both. Devices read CBOR with small parsers: maps have
// definite lengths and text keys, texts are texts and never byte strings. What
// devices send may be looser than that.
func newEncodings() (encodings, error) {
	in, err := cbor.DecOptions{
		MaxNestedLevels: 8, MaxArrayElements: 256, MaxMapPairs: 1024,
		DupMapKey: cbor.DupMapKeyEnforcedAPF, ByteStringToString: cbor.ByteStringToStringAllowed,
	}.DecMode()
	if err != nil {
		return nil, err
	}
	out, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return encodings{
		"json": {json.Unmarshal, json.Marshal},
		"cbor": {in.Unmarshal, out.Marshal},
	}, nil
}

// plain makes JSON's numbers Go's, which both encodings know.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		if real, err := v.Float64(); err == nil {
			return real
		}
		return v.String()
	case map[string]any:
		all := make(map[string]any, len(v))
		for name, member := range v {
			all[name] = plain(member)
		}
		return all
	}
	return value
}

// refusal is what a device is told on the rejected topic.
type refusal struct {
	Status  int    `json:"statusCode"`
	Code    string `json:"errorCode"`
	Message string `json:"errorMessage"`
}

// Error makes a refusal an error.
func (r *refusal) Error() string { return fmt.Sprintf("%s: %s", r.Code, r.Message) }
