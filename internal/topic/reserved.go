package topic

import "strings"

// Use is what a client may do with a reserved topic.
type Use int

// A reserved topic may be published to, subscribed to, both or neither.
const (
	Neither       Use = 0
	PublishOnly   Use = 1
	SubscribeOnly Use = 2
	Both          Use = PublishOnly | SubscribeOnly
)

// reserved lists the topics that exist under $aws/, as filters; the first that
// fits decides. Everything else that begins with $ does not exist.
// Directions are as the client sees them.
var reserved = []struct {
	pattern string
	use     Use
}{
	{"$aws/rules/#", PublishOnly},
	{"$aws/events/#", SubscribeOnly},
	{"$aws/things/+/shadow/get", Both},
	{"$aws/things/+/shadow/update", Both},
	{"$aws/things/+/shadow/delete", Both},
	{"$aws/things/+/shadow/name/+/get", Both},
	{"$aws/things/+/shadow/name/+/update", Both},
	{"$aws/things/+/shadow/name/+/delete", Both},
	{"$aws/things/+/shadow/get/accepted", SubscribeOnly},
	{"$aws/things/+/shadow/get/rejected", SubscribeOnly},
	{"$aws/things/+/shadow/update/accepted", SubscribeOnly},
	{"$aws/things/+/shadow/update/rejected", SubscribeOnly},
	{"$aws/things/+/shadow/update/delta", SubscribeOnly},
	{"$aws/things/+/shadow/update/documents", SubscribeOnly},
	{"$aws/things/+/shadow/delete/accepted", SubscribeOnly},
	{"$aws/things/+/shadow/delete/rejected", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/get/accepted", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/get/rejected", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/update/accepted", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/update/rejected", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/update/delta", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/update/documents", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/delete/accepted", SubscribeOnly},
	{"$aws/things/+/shadow/name/+/delete/rejected", SubscribeOnly},
	{"$aws/things/+/jobs/notify", SubscribeOnly},
	{"$aws/things/+/jobs/notify-next", SubscribeOnly},
	{"$aws/things/+/jobs/get", PublishOnly},
	{"$aws/things/+/jobs/start-next", PublishOnly},
	{"$aws/things/+/jobs/+/get", PublishOnly},
	{"$aws/things/+/jobs/+/update", PublishOnly},
	{"$aws/things/+/jobs/get/+", SubscribeOnly},
	{"$aws/things/+/jobs/start-next/+", SubscribeOnly},
	{"$aws/things/+/jobs/+/get/+", SubscribeOnly},
	{"$aws/things/+/jobs/+/update/+", SubscribeOnly},
	{"$aws/things/+/streams/+/describe/+", PublishOnly},
	{"$aws/things/+/streams/+/get/+", PublishOnly},
	{"$aws/things/+/streams/+/description/+", SubscribeOnly},
	{"$aws/things/+/streams/+/data/+", SubscribeOnly},
	{"$aws/things/+/streams/+/rejected/+", SubscribeOnly},
	{"$aws/things/+/defender/metrics/+", PublishOnly},
	{"$aws/things/+/defender/metrics/+/+", SubscribeOnly},
	{"$aws/things/+/tunnels/notify", SubscribeOnly},
	{"$aws/commands/+/+/executions/+/request", SubscribeOnly},
	{"$aws/commands/+/+/executions/+/request/+", SubscribeOnly},
	{"$aws/commands/+/+/executions/+/response/accepted", SubscribeOnly},
	{"$aws/commands/+/+/executions/+/response/rejected", SubscribeOnly},
	{"$aws/commands/+/+/executions/+/response/+/+", SubscribeOnly},
	{"$aws/commands/+/+/executions/+/response/+", PublishOnly},
	{"$aws/certificates/create/+", PublishOnly},
	{"$aws/certificates/create/+/+", SubscribeOnly},
	{"$aws/certificates/create-from-csr/+", PublishOnly},
	{"$aws/certificates/create-from-csr/+/+", SubscribeOnly},
	{"$aws/provisioning-templates/+/provision/+", PublishOnly},
	{"$aws/provisioning-templates/+/provision/+/+", SubscribeOnly},
	{"$aws/device_location/+/get_position_estimate", PublishOnly},
	{"$aws/device_location/+/get_position_estimate/+", SubscribeOnly},
	{"$aws/sitewise/asset-models/+/assets/+/properties/+", SubscribeOnly},
}

// IsReserved says whether a name or filter lies in the space that begins with
// $ and belongs to the server. A shared subscription is judged by its filter.
func IsReserved(text string) bool {
	if _, inner, ok := Share(text); ok {
		text = inner
	}
	return strings.HasPrefix(text, "$")
}

// MayPublish says whether clients may publish to the reserved name.
func MayPublish(name string) bool {
	for _, r := range reserved {
		if AWS.Match(r.pattern, name) {
			return r.use&PublishOnly != 0
		}
	}
	return false
}

// MaySubscribe says whether clients may subscribe to the reserved filter: it
// must be able to select at least one topic that may be subscribed to.
func MaySubscribe(filter string) bool {
	if _, inner, ok := Share(filter); ok {
		filter = inner
	}
	for _, r := range reserved {
		if r.use&SubscribeOnly != 0 && overlap(r.pattern, filter) {
			return true
		}
	}
	return false
}

// AnswersUnasked says whether answers on the reserved name go to whoever asked even
// without a subscription to it, as those of jobs do.
func AnswersUnasked(name string) bool {
	rest, ok := strings.CutPrefix(name, "$aws/things/")
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, "/")
	return strings.HasPrefix(rest, "jobs/")
}

// overlap says whether some name is selected by both filters.
func overlap(a, b string) bool {
	for {
		x, restA, lastA := next(a)
		y, restB, lastB := next(b)
		if x == "#" || y == "#" {
			return true
		}
		if x != y && x != "+" && y != "+" {
			return false
		}
		if lastA || lastB {
			return lastA && lastB
		}
		a, b = restA, restB
	}
}
