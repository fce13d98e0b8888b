package iotsql

import (
	"fmt"
	"strings"
)

// suggestion names the function that someone may have meant, for the end of an
// error message; empty where none is close.
func suggestion(name string) string {
	const farthest = 2 // letters to change
	best, distance := "", farthest+1
	for _, f := range Functions() {
		if d := editDistance(plain(name), plain(f.Name)); d < distance && d < len(name)/2 {
			best, distance = f.Name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// plain takes away what is easily mixed up: is_null and isNull.
func plain(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "") }

// wordMax is the longest name compared: longer ones are no misspellings.
const wordMax = 40

// editDistance counts the bytes to add, take away or change between two words
// (Levenshtein).
func editDistance(a, b string) int {
	if len(a) > wordMax || len(b) > wordMax {
		return wordMax
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
