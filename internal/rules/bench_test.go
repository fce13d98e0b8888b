package rules_test

import (
	"fmt"
	"testing"

	"thingd/internal/message"
	"thingd/internal/rules"
)

// BenchmarkRepublish is a message through a rule: matched, evaluated, published.
func BenchmarkRepublish(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprint(n, " rules"), func(b *testing.B) {
			spine := newSpine()
			h := benchmarkHouse(b, spine)
			for i := range n {
				h.rule(fmt.Sprint("r", i), "SELECT room, t FROM 'site/+/climate' WHERE t > 30", nil, republish("hot/${topic(2)}"))
			}
			m := device("site/4/climate", `{"room":"4A","t":31,"more":[1,2,3]}`)
			m.QoS = message.QoS1
			b.ReportAllocs()
			for i := range b.N {
				spine.Publish(m, nil)
				if i%512 == 511 { // what the queue holds, and no more
					spine.await((i + 1) * n)
				}
			}
			spine.await(b.N * n)
		})
	}
}

func benchmarkHouse(b *testing.B, s *spine) *house {
	h := openOn(b, func(c *rules.Config) { c.Broker, c.Actions.Publisher = s, s })
	h.spine = s
	return h
}
