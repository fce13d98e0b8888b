package console

import "strings"

// difference is one line of two texts beside each other.
type difference struct {
	Sign string // "+" in the second alone, "-" in the first alone, " " in both
	Text string
}

// diffCells bounds the table of a comparison; texts that differ in more lines
// than that are shown one after the other.
const diffCells = 4 << 20

// differences compares two texts line by line: the longest common subsequence,
// which is what people mean by "what has changed".
func differences(before, after string) []difference {
	a, b := linesOf(before), linesOf(after)
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	all := signed(nil, " ", a[:head])
	all = append(all, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	return signed(all, " ", a[len(a)-tail:])
}

// linesOf splits a text; that of nothing has no line.
func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func signed(all []difference, sign string, lines []string) []difference {
	for _, line := range lines {
		all = append(all, difference{sign, line})
	}
	return all
}

// middle compares what is left when equal beginnings and ends are gone.
func middle(a, b []string) []difference {
	if len(a)*len(b) > diffCells {
		return signed(signed(nil, "-", a), "+", b)
	}
	longest := commonLengths(a, b)
	var all []difference
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			all = append(all, difference{" ", a[i]})
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			all = append(all, difference{"-", a[i]})
			i++
		default:
			all = append(all, difference{"+", b[j]})
			j++
		}
	}
	return signed(signed(all, "-", a[i:]), "+", b[j:])
}

// commonLengths gives for each pair of ends the length of their longest common
// subsequence.
func commonLengths(a, b []string) [][]int32 {
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
