package mqtt

import "time"

// Disconnect ends a connection in good order. In 3.1.1 only clients send it, and
// it says nothing but its type. [MQTT 5.0 3.14]
type Disconnect struct {
	// All is 5.0 only.

	// Reason is NormalDisconnection, which forgets the will, or why else.
	Reason ReasonCode

	// SessionExpiry, from clients only, replaces that of CONNECT; absent leaves
	// it. [MQTT-3.14.2-2]
	SessionExpiry   Optional[time.Duration]
	ServerReference string // "" is absent
	ProblemInfo
}

// Type gives TypeDisconnect.
func (p *Disconnect) Type() PacketType { return TypeDisconnect }

// Decode reads the packet, see [Packet]. In 5.0 the reason and the properties
// may be missing where the packet ends. [MQTT 5.0 3.14.2.1, 3.14.2.2.1]
func (p *Disconnect) Decode(v Version, frame []byte) error {
	*p = Disconnect{}
	var d decoder
	d.open(v, frame, TypeDisconnect)
	if v == V5 && len(d.rest) > 0 {
		p.Reason = d.reason(TypeDisconnect)
		if len(d.rest) > 0 {
			p.decodeProperties(&d)
		}
	}
	return d.finish()
}

func (p *Disconnect) decodeProperties(d *decoder) {
	d.properties(TypeDisconnect)
	for d.next() {
		switch d.at.id {
		case PropSessionExpiryInterval:
			p.SessionExpiry = Some(d.at.seconds())
		case PropServerReference:
			p.ServerReference = string(d.at.text)
		default:
			p.ProblemInfo.set(&d.at)
		}
	}
}

// Append adds the packet to dst, see [Packet], in the shortest form there is.
func (p *Disconnect) Append(dst []byte, v Version) []byte {
	bare := !p.SessionExpiry.Present && p.ServerReference == "" && p.ProblemInfo.empty()
	dst, mark := beginFrame(dst, TypeDisconnect)
	if v != V5 || bare && p.Reason == NormalDisconnection {
		return dst
	}
	dst = append(dst, byte(p.Reason))
	if !bare {
		dst = p.appendProperties(dst)
	}
	return end(dst, mark)
}

func (p *Disconnect) appendProperties(dst []byte) []byte {
	dst, mark := begin(dst)
	dst = appendSecondsProperty(dst, PropSessionExpiryInterval, p.SessionExpiry)
	dst = p.ProblemInfo.append(dst)
	dst = appendTextProperty(dst, PropServerReference, p.ServerReference)
	return end(dst, mark)
}
