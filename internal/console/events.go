package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"thingd/internal/fault"
)

const (
	heartbeat    = 15 * time.Second // of a stream: tells a dead browser from a quiet one
	writeTimeout = 10 * time.Second // for one event
)

// events is a stream of server-sent events (HTML standard, 9.2) to one browser.
type events struct {
	v       *visit
	control *http.ResponseController
	beat    time.Time // when the last sign of life was sent
	dead    bool
}

// openEvents begins the stream; there is a bound on how many are open.
func (v *visit) openEvents() (*events, error) {
	if v.streams.Add(1) > feedsMax {
		v.streams.Add(-1)
		return nil, v.fault(fault.CodeThrottling, "error.streams")
	}
	e := &events{v: v, control: http.NewResponseController(v.w), beat: v.Now()}
	_ = e.control.SetReadDeadline(time.Time{}) // the door's limit is for requests that end
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.WriteHeader(http.StatusOK)
	e.write(": welcome\n\n")
	return e, nil
}

func (e *events) close() { e.v.streams.Add(-1) }

// next waits, and says whether the stream goes on: it ends with the browser, the
// session and the server.
func (e *events) next(pause time.Duration) bool {
	select {
	case <-time.After(pause):
	case <-e.v.r.Context().Done():
		return false
	case <-e.v.closed:
		return false
	}
	if now := e.v.Now(); now.Sub(e.beat) >= heartbeat {
		e.beat = now
		e.dead = e.dead || !e.v.stillSignedIn()
		e.write(": still here\n\n")
	}
	return !e.dead
}

// stillSignedIn says whether the session of the visit has not ended meanwhile.
func (v *visit) stillSignedIn() bool {
	cookie, err := v.r.Cookie(cookieName(v.r))
	return err == nil && v.sessions.find(cookie.Value) != nil
}

// send writes one event and says whether it arrived at the socket.
func (e *events) send(name string, data any) bool {
	text, err := json.Marshal(data)
	if err != nil {
		panic("an event does not encode: " + err.Error())
	}
	e.write(fmt.Sprintf("event: %s\ndata: %s\n\n", name, text))
	return !e.dead
}

func (e *events) write(text string) {
	_ = e.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // the socket's clock, not ours
	_, err := e.v.w.Write([]byte(text))
	if err == nil {
		err = e.control.Flush()
	}
	e.dead = e.dead || err != nil
}
