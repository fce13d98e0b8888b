package action_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/action"
)

func kafka(servers string, change func(*iot.KafkaAction)) iot.Action {
	a := &iot.KafkaAction{
		DestinationArn: "arn:aws:iot:eu-west-1:123456789012:ruledestination/vpc/1", Topic: "readings-${topic(1)}",
		ClientProperties: map[string]string{"bootstrap.servers": servers, "security.protocol": "PLAINTEXT", "acks": "all"},
	}
	if change != nil {
		change(a)
	}
	return iot.Action{Kafka: a}
}

func TestKafka(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "readings-lab"))
	done(t, err)
	defer cluster.Close()
	servers := strings.Join(cluster.ListenAddrs(), ",")
	enabled := true
	targets := newTargets(t, action.Config{VPCDestination: func(string) bool { return enabled }})
	done(t, run(t, targets, kafka(servers, func(a *iot.KafkaAction) {
		a.Key, a.Partition, a.Headers = "${clientid()}", "2", []iot.KafkaActionHeader{{Key: "h", Value: "v-${n}"}}
	}), `{"n":1}`))
	reader, err := kgo.NewClient(kgo.SeedBrokers(servers), kgo.ConsumeTopics("readings-lab"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	done(t, err)
	defer reader.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	records := reader.PollFetches(ctx).Records()
	if len(records) != 1 {
		t.Fatal(len(records))
	}
	type record struct {
		Key, Value, Header string
		Partition          int32
	}
	r := records[0]
	got := record{string(r.Key), string(r.Value), r.Headers[0].Key + "=" + string(r.Headers[0].Value), r.Partition}
	if diff := cmp.Diff(record{"dev-7", `{"n":1}`, "h=v-1", 2}, got); diff != "" {
		t.Error(diff)
	}
	enabled = false
	if err := run(t, targets, kafka(servers, nil), `{}`); err == nil || action.Retryable(err) {
		t.Error("a destination that is not enabled:", err)
	}
}

func TestKafkaProperties(t *testing.T) {
	targets := newTargets(t, action.Config{})
	for name, properties := range map[string]map[string]string{
		"acks":        {"acks": "2"},
		"compression": {"compression.type": "rar"},
		"protocol":    {"security.protocol": "TELNET"},
		"mechanism":   {"security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI"},
		"truststore":  {"security.protocol": "SSL", "ssl.truststore": "no PEM"},
		"keystore":    {"security.protocol": "SSL", "ssl.keystore": "no PEM"},
	} {
		t.Run("bad/"+name, func(t *testing.T) {
			err := run(t, targets, kafka("127.0.0.1:1", func(a *iot.KafkaAction) {
				for key, value := range properties {
					a.ClientProperties[key] = value
				}
			}), `{}`)
			if err == nil || action.Retryable(err) {
				t.Error(err)
			}
		})
	}
}
