package main

import (
	"strings"
	"unicode"
)

// exported is a model name as a Go name: AWS's spelling with a capital first.
func exported(name string) string {
	return strings.ToUpper(name[:1]) + name[1:]
}

// enumName is the constant for one value of an enumeration: JobStatus and
// "IN_PROGRESS" make JobStatusInProgress, "public-read" makes PublicRead.
func enumName(shape, value string) string {
	var b strings.Builder
	b.WriteString(exported(shape))
	for _, word := range strings.FieldsFunc(value, notAlphanumeric) {
		if isUpperCase(word) {
			word = strings.ToLower(word)
		}
		b.WriteString(exported(word))
	}
	return b.String()
}

func notAlphanumeric(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

func isUpperCase(word string) bool { return word == strings.ToUpper(word) }
