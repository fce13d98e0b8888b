package message

import (
	"context"
	"errors"
	"testing"
)

type publisherFunc func(Message, Done)

func (f publisherFunc) Publish(m Message, done Done) { f(m, done) }

func TestPublishWaitsForDone(t *testing.T) {
	refused := errors.New("refused")
	later := make(chan Done, 1)
	p := publisherFunc(func(_ Message, done Done) { later <- done })
	outcome := make(chan error)
	go func() { outcome <- Publish(context.Background(), p, Message{Topic: "a"}) }()
	done := <-later
	select {
	case err := <-outcome:
		t.Fatal("returned before done:", err)
	default:
	}
	done(refused)
	if err := <-outcome; !errors.Is(err, refused) {
		t.Fatal(err)
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := publisherFunc(func(Message, Done) {})
	if err := Publish(ctx, p, Message{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
