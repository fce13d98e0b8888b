package broker

import (
	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// direct answers this client alone, as a normal delivery would: if it may receive
// the topic, and at the QoS of its subscription. Without one the answer is dropped,
// but for those of jobs, which AWS sends to whoever asked. An answer is not stored
// and does not outlive the connection: it may hold a private key.
func (c *conn) direct(m Message) {
	sub, subscribed := c.session.matching(m.Topic)
	if !subscribed && !topic.AnswersUnasked(m.Topic) {
		return
	}
	if !c.rights.Allows("iot:Receive", "topic/"+m.Topic) {
		c.mayNotReceive(c.b.Now(), m.Topic)
		return
	}
	d := delivery{m: &m, kept: &m, now: c.b.Now(), frames: &frames{}, promise: newPromise(nothing)}
	qos := m.QoS
	if subscribed {
		qos = min(qos, sub.qos)
	}
	if qos == mqtt.QoS0 {
		c.send(&d, false, sub.ids)
		return
	}
	// QoS 2 would have to be remembered for longer than the connection.
	c.session.answerOnce(c, &d, entry{m: &m, qos: mqtt.QoS1, ids: sub.ids, fleeting: true})
}

// matching merges the session's subscriptions to a topic; ok is false without one.
func (s *session) matching(name string) (t target, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for filter, sub := range s.subs {
		if s.b.Limits.Topics.Match(filter, name) {
			t.qos, t.ids, ok = max(t.qos, sub.qos), appendID(t.ids, sub.id), true
		}
	}
	return t, ok
}

// answersWaiting bounds the answers that wait for room in flight; a client that asks on
// and acknowledges nothing gets no more.
const answersWaiting = 100

// answerOnce sends an answer to the connection that asked, as soon as there is room.
func (s *session) answerOnce(c *conn, d *delivery, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn.Load() != c || s.removed {
		return
	}
	q := &s.queue
	if len(q.answers) == 0 && q.again == 0 && s.launch(c, &e, d) {
		return
	}
	if len(q.answers) >= answersWaiting {
		s.b.stats.DroppedFull.Add(1)
		return
	}
	q.answers = append(q.answers, e)
}

// sendAnswers sends the answers that wait, and says whether none is left. The
// caller holds s.mu.
func (s *session) sendAnswers(c *conn, d *delivery) bool {
	q := &s.queue
	for len(q.answers) > 0 {
		if !s.launch(c, &q.answers[0], d) {
			return false
		}
		q.answers[0] = entry{}
		q.answers = q.answers[1:]
	}
	q.answers = nil
	return true
}
