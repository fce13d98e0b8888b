package thingd

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"thingd/internal/registry"
	"thingd/internal/settings"
	"thingd/internal/why"
)

// openSettings reads what the account sets for all of it.
func (s *Server) openSettings(ctx context.Context) (err error) {
	s.settings, err = settings.New(ctx, settings.Config{Store: s.db.Settings(s.config.Account), Now: s.now})
	return err
}

// eventTypes are AWS's names, in event configurations of the logging options,
// for the steps of a client.
var eventTypes = map[why.Step]string{
	why.StepConnect: "Connect", why.StepPublish: "Publish-In", why.StepSubscribe: "Subscribe",
	why.StepReceive: "Publish-Out", why.StepConnection: "Disconnect", why.StepHTTP: "Publish-In",
}

// logLevel gives the least level at which an event is logged, as the account's
// logging options have it.
func (s *Server) logLevel(e why.Event) slog.Level {
	return s.settings.Level(settings.Facts{
		ClientID: e.ClientID, SourceIP: addressOf(e.Source), PrincipalID: e.Principal, EventType: eventTypes[e.Step],
		ThingGroups: func() []string { return s.groupsOf(e.ClientID) },
	})
}

func addressOf(source string) string {
	at, err := netip.ParseAddrPort(source)
	if err != nil {
		return source
	}
	return at.Addr().Unmap().String()
}

// lookUpMax bounds what a line of the log may wait for the database.
const lookUpMax = time.Second

// groupsOf gives the groups of the thing that has a client's name. Without an
// answer in time there are none: the line is logged like anybody's.
func (s *Server) groupsOf(clientID string) []string {
	if clientID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookUpMax)
	defer cancel()
	groups, _, err := s.registry.ThingGroupsForThing(ctx, clientID, registry.Page{Size: registry.PageSizeMax})
	if err != nil {
		return nil
	}
	return groups
}
