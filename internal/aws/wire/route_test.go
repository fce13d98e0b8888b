package wire

import "testing"

func TestFindTakesPathsWithoutTheirClosingSlash(t *testing.T) {
	var rt router
	list := &endpoint{op: &Operation{Name: "ListAuthorizers", Method: "GET", URI: "/authorizers/"}}
	thing := &endpoint{op: &Operation{Name: "DescribeThing", Method: "GET", URI: "/things/{thingName}"}}
	rt.add(list)
	rt.add(thing)
	for _, c := range []struct {
		name, method, path string
		want               *endpoint
		known              bool
	}{
		{"ok/as the model has it", "GET", "/authorizers/", list, true},
		{"ok/as some clients send it", "GET", "/authorizers", list, true},
		{"another method", "PUT", "/authorizers", nil, true},
		{"no slash too many", "GET", "/things/lamp/", nil, false},
		{"no empty label", "GET", "/things", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, known := rt.find(c.method, c.path)
			if got.endpoint != c.want || known != c.known {
				t.Errorf("found %v, known %v", got.endpoint, known)
			}
		})
	}
}
