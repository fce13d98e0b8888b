package shadow

// Limits are what one shadow may be and ask. A zero field means AWS's default.
type Limits struct {
	DocumentBytes int // compact JSON of desired and reported together; 8192. AWS raises it to 30720 on request
	Depth         int // levels of objects and arrays in each section, itself included; 8
	TokenBytes    int // of a client token; 64
	PerConnection int // requests of one MQTT connection under way at once; 10, then 429
	InFlight      int // requests under way at once on this node; 16384, then 429
}

// withDefaults fills in AWS's figures ("AWS IoT Core endpoints and quotas",
// Device Shadow).
func (l Limits) withDefaults() Limits {
	byDefault := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	byDefault(&l.DocumentBytes, 8<<10)
	byDefault(&l.Depth, 8)
	byDefault(&l.TokenBytes, 64)
	byDefault(&l.PerConnection, 10)
	byDefault(&l.InFlight, 16<<10)
	return l
}

// payloadBytes bounds a request before it is parsed. White space, keys to be
// removed and members that are ignored do not count toward the document, so
// this leaves them room.
func (l Limits) payloadBytes() int { return 8 * l.DocumentBytes }
