package gateway

import "net"

// replay is a connection whose first bytes were looked at and are read again.
type replay struct {
	net.Conn
	first []byte
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		if r.first = r.first[n:]; len(r.first) == 0 {
			r.first = nil
		}
		return n, nil
	}
	return r.Conn.Read(p)
}

// peek waits for the first byte of conn and gives it, together with a
// connection that still has it.
func peek(conn net.Conn) (byte, net.Conn, error) {
	var first [1]byte
	if _, err := conn.Read(first[:]); err != nil {
		return 0, nil, err
	}
	return first[0], &replay{Conn: conn, first: first[:]}, nil
}
