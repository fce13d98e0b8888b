package wire

import (
	"net/url"
	"strings"
)

// pathMax bounds the segments of a path that is looked up, and with them the
// work that an odd path can cause.
const pathMax = 512

// router finds a REST operation by method and path. Literal segments go before
// labels; where the literal way has no such method, the labelled one is tried.
type router struct {
	root routeNode
}

type routeNode struct {
	literal map[string]*routeNode
	label   *routeNode           // any one segment
	ends    map[string]*endpoint // by method
	greedy  map[string]*endpoint // by method: takes all that follows
}

// match is an endpoint with the values of its labels, decoded.
type match struct {
	endpoint *endpoint
	labels   map[string]string
}

// add puts an endpoint at its URI.
func (rt *router) add(e *endpoint) {
	node := &rt.root
	for _, segment := range strings.Split(strings.TrimPrefix(e.op.URI, "/"), "/") {
		name, isLabel := labelName(segment)
		switch {
		case isLabel && strings.HasSuffix(name, "+"):
			node.greedy = put(node.greedy, e.op.Method, e)
			return
		case isLabel:
			if node.label == nil {
				node.label = &routeNode{}
			}
			node = node.label
		default:
			node = node.child(segment)
		}
	}
	node.ends = put(node.ends, e.op.Method, e)
}

func put(m map[string]*endpoint, method string, e *endpoint) map[string]*endpoint {
	if m == nil {
		m = map[string]*endpoint{}
	}
	m[method] = e
	return m
}

func (n *routeNode) child(segment string) *routeNode {
	if n.literal == nil {
		n.literal = map[string]*routeNode{}
	}
	if n.literal[segment] == nil {
		n.literal[segment] = &routeNode{}
	}
	return n.literal[segment]
}

// labelName tells "{name}" from a literal segment.
func labelName(segment string) (string, bool) {
	if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
		return segment[1 : len(segment)-1], true
	}
	return segment, false
}

// find looks up an escaped path, split at the slashes that were sent as
// slashes. known says that the path exists, if perhaps not with this method.
func (rt *router) find(method, escapedPath string) (m match, known bool) {
	raw := strings.SplitN(strings.TrimPrefix(escapedPath, "/"), "/", pathMax+1)
	if len(raw) > pathMax {
		return match{}, false
	}
	segments := make([]string, len(raw))
	for i, segment := range raw {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return match{}, false
		}
		segments[i] = plain
	}
	e, known := rt.root.find(method, segments)
	if e == nil && !known {
		// Some of the model's paths end in a slash (/authorizers/), and not every
		// client sends it.
		e, known = rt.root.find(method, append(segments, ""))
	}
	if e == nil {
		return match{}, known
	}
	return match{endpoint: e, labels: labels(e.op.URI, segments)}, true
}

func (n *routeNode) find(method string, segments []string) (*endpoint, bool) {
	if len(segments) == 0 {
		return n.ends[method], len(n.ends) > 0
	}
	known := false
	for _, next := range n.next(segments[0]) {
		e, there := next.find(method, segments[1:])
		if e != nil {
			return e, true
		}
		known = known || there
	}
	return n.greedy[method], known || len(n.greedy) > 0
}

// next are the ways that a segment can go. An empty one is no label's value.
func (n *routeNode) next(segment string) []*routeNode {
	var ways []*routeNode
	if child := n.literal[segment]; child != nil {
		ways = append(ways, child)
	}
	if n.label != nil && segment != "" {
		ways = append(ways, n.label)
	}
	return ways
}

// labels reads the values off the segments that matched uri.
func labels(uri string, segments []string) map[string]string {
	values := map[string]string{}
	for i, part := range strings.Split(strings.TrimPrefix(uri, "/"), "/") {
		name, isLabel := labelName(part)
		if !isLabel {
			continue
		}
		if greedy, ok := strings.CutSuffix(name, "+"); ok {
			values[greedy] = strings.Join(segments[i:], "/")
			break
		}
		values[name] = segments[i]
	}
	return values
}
