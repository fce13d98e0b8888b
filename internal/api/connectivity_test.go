package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/broker"
)

func TestConnectivity(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for name, test := range map[string]struct {
		connection broker.Connection
		want       iot.GetThingConnectivityDataResponse
	}{
		"connected": {broker.Connection{Connected: true, ConnectedSince: at},
			iot.GetThingConnectivityDataResponse{ThingName: "t", Connected: new(true), Timestamp: at, DisconnectReason: "NONE"}},
		"left": {broker.Connection{Left: at, DisconnectReason: "CONNECTION_LOST"},
			iot.GetThingConnectivityDataResponse{ThingName: "t", Connected: new(false), Timestamp: at, DisconnectReason: "CONNECTION_LOST"}},
		"never seen": {broker.Connection{},
			iot.GetThingConnectivityDataResponse{ThingName: "t", Connected: new(false), DisconnectReason: "UNKNOWN"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&test.want, connectivity("t", test.connection)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
