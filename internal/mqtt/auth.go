package mqtt

import "bytes"

// Auth is a step of an enhanced authentication, from either side. It exists in
// 5.0 only; in 3.1.1 its type is reserved, and Decode refuses it. [MQTT 5.0 3.15]
type Auth struct {
	Reason ReasonCode // Success, ContinueAuthentication or Reauthenticate

	// AuthenticationMethod is what CONNECT asked for; it is absent only in the
	// bare form that says Success and no more. [MQTT 5.0 3.15.2.2.2]
	AuthenticationMethod Optional[string]
	AuthenticationData   []byte // nil is absent
	ProblemInfo
}

// Type gives TypeAuth.
func (a *Auth) Type() PacketType { return TypeAuth }

// Decode reads the packet, see [Packet].
func (a *Auth) Decode(v Version, frame []byte) error {
	*a = Auth{}
	var d decoder
	d.open(v, frame, TypeAuth)
	if v != V5 {
		d.fail(malformed("AUTH does not exist before MQTT 5.0")) // [MQTT 3.1.1 2.2.1]
	}
	if len(d.rest) > 0 { // else Success without properties [MQTT 5.0 3.15.2.1]
		a.Reason = d.reason(TypeAuth)
		a.decodeProperties(&d)
	}
	return d.finish()
}

func (a *Auth) decodeProperties(d *decoder) {
	d.properties(TypeAuth)
	for d.next() {
		switch d.at.id {
		case PropAuthenticationMethod:
			a.AuthenticationMethod = Some(string(d.at.text))
		case PropAuthenticationData:
			a.AuthenticationData = bytes.Clone(d.at.text)
		default:
			a.ProblemInfo.set(&d.at)
		}
	}
	bare := a.Reason == Success && d.seen == 0
	if !d.has(PropAuthenticationMethod) && !bare && d.err == nil {
		d.fail(protocolError("AUTH without an authentication method"))
	}
}

// Append adds the packet to dst, see [Packet]. It is written as 5.0 writes it
// whatever v is.
func (a *Auth) Append(dst []byte, _ Version) []byte {
	dst, mark := beginFrame(dst, TypeAuth)
	if a.bare() {
		return dst
	}
	dst = append(dst, byte(a.Reason))
	dst, properties := begin(dst)
	dst = appendMethod(dst, a.AuthenticationMethod)
	dst = appendBinaryProperty(dst, PropAuthenticationData, a.AuthenticationData)
	dst = end(a.ProblemInfo.append(dst), properties)
	return end(dst, mark)
}

func (a *Auth) bare() bool {
	return a.Reason == Success && !a.AuthenticationMethod.Present &&
		a.AuthenticationData == nil && a.ProblemInfo.empty()
}
