package shadow

import (
	"errors"

	"thingd/internal/fault"
)

// statuses are the numbers of rejections on MQTT.
var statuses = map[fault.Code]int{
	fault.CodeInvalidRequest:      400,
	fault.CodeUnauthorized:        401,
	fault.CodeForbidden:           403,
	fault.CodeNotFound:            404,
	fault.CodeConflict:            409,
	fault.CodeEntityTooLarge:      413,
	fault.CodeUnsupportedEncoding: 415,
	fault.CodeThrottling:          429,
	fault.CodeServiceUnavailable:  503,
}

// status gives the number and the words of a rejection on MQTT. What is not
// the client's fault is not shown.
func status(err error) (code int, message string) {
	refusal, ok := errors.AsType[*fault.Error](err)
	if ok {
		code = statuses[refusal.Code]
	}
	if code == 0 {
		return 500, "Internal service failure"
	}
	return code, refusal.Message
}
