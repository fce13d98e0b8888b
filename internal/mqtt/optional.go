package mqtt

// Optional is a field that may be absent where absence means something else
// than any value. The zero Optional is absent.
type Optional[T any] struct {
	Value   T
	Present bool
}

// Some is a value that is present.
func Some[T any](value T) Optional[T] {
	return Optional[T]{Value: value, Present: true}
}

// Or gives the value, or absent's stand-in.
func (o Optional[T]) Or(absent T) T {
	if o.Present {
		return o.Value
	}
	return absent
}
