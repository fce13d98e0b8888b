package api

import (
	"time"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/shadow"
)

// IoTData is the data plane.
type IoTData struct {
	Publisher message.Publisher
	Broker    *broker.Broker
	Limits    broker.Limits
	Shadows   *shadow.Service
	Now       func() time.Time
}
