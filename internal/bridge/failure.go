package bridge

import (
	"errors"
	"io"
	"net"
	"strings"
	"unicode"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// failure is why a connection could not be made or ended.
type failure struct {
	cause  why.Cause
	detail string
}

// Error gives the sentence.
func (f *failure) Error() string { return f.cause.Says() + ": " + f.detail }

func failed(cause why.Cause, detail string) *failure { return &failure{cause, clip(detail)} }

// detailMax bounds what strangers say in a status, in characters.
const detailMax = 300

// clip makes a stranger's words fit for a status: short, and one line.
func clip(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > detailMax {
		return string(runes[:detailMax]) + "…"
	}
	return text
}

// hungUp explains an end before CONNACK. AWS IoT Core and thingd close without a
// word where a client may not connect.
func hungUp(err error) *failure {
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		return failed(why.IntegrationTLS, err.Error()) // TLS 1.3 tells about the client's certificate after the handshake
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
		return failed(why.IntegrationRefused, "it hung up without an answer to CONNECT")
	}
	if isTimeout(err) {
		return failed(why.IntegrationUnreachable, "it does not answer CONNECT; is it an MQTT broker?")
	}
	return failed(why.IntegrationRefused, err.Error())
}

func isReset(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "read" && !op.Timeout()
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// refused tells a reason code and the words that came with it.
func refused(cause why.Cause, reason mqtt.ReasonCode, words string) *failure {
	if words != "" {
		return failed(cause, reason.String()+": "+words)
	}
	return failed(cause, reason.String())
}
