// Package wire is the part of the AWS front that every service shares: it finds
// the operation a request means, checks who sends it, decodes and validates the
// input, calls the method named like the operation, and writes the answer or
// AWS's form of the error.
package wire
