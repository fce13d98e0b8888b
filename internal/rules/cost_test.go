package rules_test

import (
	"fmt"
	"testing"

	"thingd/internal/topic"
)

// BenchmarkRulesThatDoNotMatch shows what a publish pays for rules on other
// topics: the tree finds them or not, whatever their number.
func BenchmarkRulesThatDoNotMatch(b *testing.B) {
	for _, n := range []int{0, 1000} {
		b.Run(fmt.Sprint(n, "_rules"), func(b *testing.B) {
			tree := topic.Tree[int]{Rules: topic.AWS}
			for i := range n {
				tree.Add(fmt.Sprintf("plant/%d/+/state", i), i)
			}
			tree.Add("car/+/cmd", -1)
			var found [8]int
			b.ReportAllocs()
			for b.Loop() {
				tree.Match("car/7/cmd", found[:0])
			}
		})
	}
}
