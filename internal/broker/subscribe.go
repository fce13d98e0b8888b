package broker

import (
	"context"

	"thingd/internal/mqtt"
	"thingd/internal/topic"
	"thingd/internal/why"
)

// onSubscribe answers a SUBSCRIBE: each filter is granted or refused on its own,
// but for what AWS hangs up on.
func (c *conn) onSubscribe(p *mqtt.Subscribe) *ending {
	if end := c.checkSubscribe(p); end != nil {
		return end
	}
	reasons := make([]mqtt.ReasonCode, len(p.Subscriptions))
	var granted []mqtt.Subscription
	var rows []StoredSubscription
	for i, want := range p.Subscriptions {
		if end := c.closesOn(want.Filter); end != nil {
			return end
		}
		row := StoredSubscription{want.Filter, want.QoS, want.NoLocal, want.RetainAsPublished, p.SubscriptionID}
		if reasons[i] = c.grant(&row, rows); !reasons[i].Failed() {
			granted, rows = append(granted, want), append(rows, row)
		}
	}
	isNew, err := c.subscribe(rows)
	if err != nil {
		failed := storeFailed.because(err)
		return &failed
	}
	c.reply(&mqtt.Suback{PacketID: p.PacketID, Reasons: reasons})
	filters := make([]string, len(rows))
	for i, row := range rows {
		filters[i] = row.Filter
	}
	c.announceSubscriptions("subscribed", filters)
	c.session.pumpGroups(&c.work)
	for i, want := range granted {
		if end := c.sendRetained(want, rows[i], isNew[i]); end != nil {
			return end
		}
	}
	return nil
}

// checkSubscribe refuses what closes the connection.
func (c *conn) checkSubscribe(p *mqtt.Subscribe) *ending {
	limits := &c.b.Limits
	if limits.FiltersPerSubscribe > 0 && len(p.Subscriptions) > limits.FiltersPerSubscribe {
		return clientError(why.StepSubscribe, mqtt.QuotaExceeded, why.TooManyFilters, "%d filters in one SUBSCRIBE; at most %d are allowed", len(p.Subscriptions), limits.FiltersPerSubscribe)
	}
	if p.SubscriptionID > 0 && !limits.SubscriptionIDs {
		return clientError(why.StepSubscribe, mqtt.SubscriptionIdentifiersNotSupported, why.FeatureNotSupported, "subscription identifier %d", p.SubscriptionID)
	}
	for i := range p.Subscriptions {
		want := &p.Subscriptions[i]
		if want.QoS > limits.MaxQoS {
			// A silent downgrade would break the client's promise to itself.
			return clientError(why.StepSubscribe, mqtt.QoSNotSupported, why.QoSNotSupported, "subscription to %s with QoS %d", want.Filter, want.QoS)
		}
		if topic.IsReserved(want.Filter) && !topic.MaySubscribe(want.Filter) {
			return clientError(why.StepSubscribe, mqtt.TopicFilterInvalid, why.TopicReserved, "clients cannot subscribe to %s", want.Filter)
		}
		if c.version != mqtt.V5 {
			if err := limits.Topics.CheckFilter(want.Filter); err != nil {
				return clientError(why.StepSubscribe, mqtt.TopicFilterInvalid, why.FilterInvalid, "%s", faultSays(err))
			}
		}
	}
	return nil
}

// closesOn gives the ending for a filter that a 3.1.1 client may not subscribe to,
// where the limits say that it is cut for it, as AWS was said to do; nil otherwise.
func (c *conn) closesOn(filter string) *ending {
	if c.version == mqtt.V5 || !c.b.Limits.CloseDeniedFilters {
		return nil
	}
	return c.authorize(why.StepSubscribe, "iot:Subscribe", "topicfilter/"+filter)
}

// grant decides over one filter: the granted QoS, or why not. before are those of
// the same packet that were granted already.
func (c *conn) grant(row *StoredSubscription, before []StoredSubscription) mqtt.ReasonCode {
	refuse := func(e *ending) mqtt.ReasonCode {
		c.b.stats.SubscribeRefused.Add(1)
		c.record(*e, true)
		return e.reason
	}
	if err := c.b.Limits.Topics.CheckFilter(row.Filter); err != nil {
		return refuse(clientError(why.StepSubscribe, mqtt.TopicFilterInvalid, why.FilterInvalid, "%s", faultSays(err)))
	}
	if end := c.authorize(why.StepSubscribe, "iot:Subscribe", "topicfilter/"+row.Filter); end != nil {
		return refuse(end)
	}
	if end := c.maySubscribeNow(row.Filter, len(before)); end != nil {
		return refuse(end)
	}
	if c.session.full(row.Filter, before, c.b.Limits.Subscriptions) {
		return refuse(clientError(why.StepSubscribe, mqtt.QuotaExceeded, why.TooManySubscriptions, "filter %s would be number %d", row.Filter, c.b.Limits.Subscriptions+1))
	}
	if c.groupFull(row.Filter, before) {
		return refuse(clientError(why.StepSubscribe, mqtt.QuotaExceeded, why.TooManySubscriptions, "%s has too many members, or there are too many shared subscriptions", row.Filter))
	}
	c.b.stats.Subscribes.Add(1)
	return mqtt.ReasonCode(row.QoS)
}

// groupFull says whether a shared filter is refused because of its group.
func (c *conn) groupFull(filter string, before []StoredSubscription) bool {
	if _, _, shared := topic.Share(filter); !shared || c.session.has(filter) {
		return false
	}
	more := 0
	for _, row := range before {
		if _, _, shared := topic.Share(row.Filter); shared && row.Filter != filter && !c.b.hasGroup(row.Filter) {
			more++
		}
	}
	return c.b.isFull(filter, more)
}

func (s *session) has(filter string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, has := s.subs[filter]
	return has
}

// full says whether the session has no room for one more filter. A filter that
// it has already is replaced and needs none.
func (s *session) full(filter string, before []StoredSubscription, limit int) bool {
	if limit == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.subs[filter]; has {
		return false
	}
	added := map[string]bool{}
	for _, row := range before {
		if _, has := s.subs[row.Filter]; !has {
			added[row.Filter] = true
		}
	}
	return !added[filter] && len(s.subs)+len(added) >= limit
}

// subscribe makes subscriptions effective and, in a persistent session, durable.
func (c *conn) subscribe(rows []StoredSubscription) (isNew []bool, err error) {
	isNew = make([]bool, len(rows))
	for i, row := range rows {
		isNew[i] = c.b.subscribe(c.session, row)
	}
	if len(rows) == 0 || !c.session.persistent.Load() {
		return isNew, nil
	}
	id := c.clientID
	c.catchUp() // what follows takes a while
	return isNew, c.b.Store.Update(context.Background(), func(tx StoreTx) error {
		for _, row := range rows {
			if err := tx.PutSubscription(id, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// onUnsubscribe ends subscriptions. That there was none is no error; AWS does
// not say so either. That there could be none is.
func (c *conn) onUnsubscribe(p *mqtt.Unsubscribe) *ending {
	reasons := make([]mqtt.ReasonCode, len(p.Filters))
	var ended []string
	var wrong *ending
	for i, filter := range p.Filters {
		if c.b.unsubscribe(c.session, filter) {
			ended = append(ended, filter)
		} else if end := c.checkUnsubscribe(filter); end != nil {
			reasons[i], wrong = end.reason, end
		} else if c.b.Limits.MaxQoS == mqtt.QoS2 { // the standard's profile tells [MQTT-3.11.3-2]
			reasons[i] = mqtt.NoSubscriptionExisted
		}
	}
	c.b.stats.Unsubscribes.Add(int64(len(ended)))
	if err := c.forgetSubscriptions(ended); err != nil {
		failed := storeFailed.because(err)
		return &failed
	}
	if wrong != nil && c.version != mqtt.V5 {
		return wrong
	}
	c.reply(&mqtt.Unsuback{PacketID: p.PacketID, Reasons: reasons})
	c.announceSubscriptions("unsubscribed", p.Filters)
	return nil
}

// checkUnsubscribe says what is wrong with a filter; nil if nothing is. MQTT 5 clients
// are told in UNSUBACK, others are cut. [MQTT-4.7.1-1]
func (c *conn) checkUnsubscribe(filter string) *ending {
	err := c.b.Limits.Topics.CheckFilter(filter)
	if err == nil {
		return nil
	}
	end := clientError(why.StepSubscribe, mqtt.TopicFilterInvalid, why.FilterInvalid, "UNSUBSCRIBE: %s", faultSays(err))
	if c.version == mqtt.V5 {
		c.record(*end, true)
	}
	return end
}

func (c *conn) forgetSubscriptions(filters []string) error {
	if len(filters) == 0 || !c.session.persistent.Load() {
		return nil
	}
	id := c.clientID
	c.catchUp() // what follows takes a while
	return c.b.Store.Update(context.Background(), func(tx StoreTx) error {
		for _, filter := range filters {
			if err := tx.DeleteSubscription(id, filter); err != nil {
				return err
			}
		}
		return nil
	})
}
