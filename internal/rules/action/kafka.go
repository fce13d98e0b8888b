package action

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
)

// compileKafka produces the payload as a record. clientProperties are those of
// the Java client, as AWS takes them, with two differences: trust and key stores
// are PEM texts, and security.protocol may be PLAINTEXT or SASL_PLAINTEXT for a
// broker within one's own network.
func compileKafka(c *compiler, spec *iot.Action) prepare {
	a := spec.Kafka
	if a == nil {
		return nil
	}
	k := &kafka{
		t: c.t, destination: a.DestinationArn, topic: c.text("topic", a.Topic),
		key: c.optional("key", a.Key), partition: c.optional("partition", a.Partition),
	}
	if a.ClientProperties["bootstrap.servers"] == "" {
		c.refuse("clientProperties needs bootstrap.servers")
	}
	for _, name := range slices.Sorted(maps.Keys(a.ClientProperties)) {
		if !slices.Contains(kafkaProperties, name) {
			c.refuse("client property %q is not supported", name)
		}
		value := c.text("clientProperties."+name, a.ClientProperties[name])
		value.secret = value.secret || strings.HasPrefix(name, "ssl.") || strings.HasPrefix(name, "sasl.")
		k.properties = append(k.properties, namedParameter{name, value})
	}
	for _, h := range a.Headers {
		k.headers = append(k.headers, [2]*parameter{c.text("headers.key", h.Key), c.text("headers.value", h.Value)})
	}
	return k.prepare
}

// kafkaProperties are the client properties that mean something here. Kerberos
// (GSSAPI) is not among them.
var kafkaProperties = []string{
	"acks", "bootstrap.servers", "compression.type", "key.serializer", "value.serializer", "security.protocol",
	"ssl.truststore", "ssl.truststore.password", "ssl.keystore", "ssl.keystore.password", "ssl.key.password",
	"sasl.mechanism", "sasl.plain.username", "sasl.plain.password", "sasl.scram.username", "sasl.scram.password",
}

type kafka struct {
	t                     *Targets
	destination           string
	topic, key, partition *parameter
	properties            []namedParameter
	headers               [][2]*parameter
}

func (k *kafka) prepare(r *rendering) send {
	record := &kgo.Record{Topic: r.text(k.topic), Value: r.Payload, Partition: -1}
	r.resource = record.Topic
	r.detail("Topic", record.Topic)
	if key := r.text(k.key); key != "" {
		record.Key = []byte(key)
	}
	if text := r.text(k.partition); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return r.fail("partition %q is not a number", text)
		}
		record.Partition = int32(n)
	}
	for _, h := range k.headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: r.text(h[0]), Value: []byte(r.text(h[1]))})
	}
	properties := map[string]string{}
	for _, p := range k.properties {
		properties[p.name] = r.text(p.value)
	}
	return func(ctx context.Context) error {
		if !k.t.VPCDestination(k.destination) {
			return fault.InvalidRequest("the destination %s is not enabled", k.destination)
		}
		client, done, err := k.t.kafkas.client(properties)
		if err != nil {
			return err
		}
		defer done()
		own := *record // the client writes into it
		return client.ProduceSync(ctx, &own).FirstErr()
	}
}

// producers keeps a client per set of properties. With more than producersMax
// the one that was idle longest goes.
type producers struct {
	mu      sync.Mutex
	clients map[string]*producer
	uses    int64
}

type producer struct {
	client *kgo.Client
	users  int
	last   int64 // when it was used, counted in uses
}

const producersMax = 32

// client gives the client for a set of properties; done gives it back.
func (p *producers) client(properties map[string]string) (client *kgo.Client, done func(), err error) {
	key := ""
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		key += strconv.Quote(name) + strconv.Quote(properties[name])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.clients[key]
	if one == nil {
		if one, err = p.open(key, properties); err != nil {
			return nil, nil, err
		}
	}
	p.uses++
	one.users++
	one.last = p.uses
	return one.client, func() { p.mu.Lock(); defer p.mu.Unlock(); one.users-- }, nil
}

func (p *producers) open(key string, properties map[string]string) (*producer, error) {
	options, err := kafkaOptions(properties)
	if err != nil {
		return nil, err
	}
	if err := p.makeRoom(); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fault.InvalidRequest("clientProperties: %v", err)
	}
	if p.clients == nil {
		p.clients = map[string]*producer{}
	}
	p.clients[key] = &producer{client: client}
	return p.clients[key], nil
}

// makeRoom closes the client that was idle longest where there are too many.
func (p *producers) makeRoom() error {
	if len(p.clients) < producersMax {
		return nil
	}
	oldest := ""
	for key, one := range p.clients {
		if one.users == 0 && (oldest == "" || one.last < p.clients[oldest].last) {
			oldest = key
		}
	}
	if oldest == "" {
		return fault.New(fault.CodeThrottling, "too many different Kafka clients are in use")
	}
	p.clients[oldest].client.Close()
	delete(p.clients, oldest)
	return nil
}

func (p *producers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.clients {
		one.client.Close()
	}
	p.clients = nil
}

// kafkaOptions translates the properties of the Java client.
func kafkaOptions(p map[string]string) ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(p["bootstrap.servers"], ",")...),
		kgo.ClientID("thingd"),
		kgo.RecordPartitioner(partitioner()),
		kgo.RecordRetries(2), // the engine tries again, too
		kgo.RecordDeliveryTimeout(20 * time.Second),
		kgo.ProducerLinger(0),
	}
	steps := []func(map[string]string) ([]kgo.Opt, error){kafkaAcks, kafkaCompression, kafkaTLS, kafkaSASL}
	for _, step := range steps {
		more, err := step(p)
		if err != nil {
			return nil, err
		}
		options = append(options, more...)
	}
	return options, nil
}

// partitioner sends a record to the partition that it names and lets the key
// choose for the others.
func partitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		choose := byKey.ForTopic(topic)
		return func(r *kgo.Record, n int) int {
			if r.Partition >= 0 {
				return int(r.Partition)
			}
			return choose.Partition(r, n)
		}
	})
}

func kafkaAcks(p map[string]string) ([]kgo.Opt, error) {
	switch p["acks"] {
	case "", "1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}, nil
	case "0":
		return []kgo.Opt{kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()}, nil
	case "-1", "all":
		return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}, nil
	}
	return nil, fault.InvalidRequest("acks %q is not one of -1, 0, 1, all", p["acks"])
}

func kafkaCompression(p map[string]string) ([]kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[p["compression.type"]]
	if !ok {
		return nil, fault.InvalidRequest("compression.type %q is not known", p["compression.type"])
	}
	return []kgo.Opt{kgo.ProducerBatchCompression(codec)}, nil
}

func kafkaTLS(p map[string]string) ([]kgo.Opt, error) {
	switch p["security.protocol"] {
	case "PLAINTEXT", "SASL_PLAINTEXT":
		return nil, nil
	case "", "SSL", "SASL_SSL":
	default:
		return nil, fault.InvalidRequest("security.protocol %q is not known", p["security.protocol"])
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if trusted := p["ssl.truststore"]; trusted != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(trusted)) {
			return nil, fault.InvalidRequest("ssl.truststore has no certificates in PEM")
		}
	}
	if own := p["ssl.keystore"]; own != "" {
		pair, err := tls.X509KeyPair([]byte(own), []byte(own))
		if err != nil {
			return nil, fault.InvalidRequest("ssl.keystore is not a certificate with its key in PEM: %v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return []kgo.Opt{kgo.DialTLSConfig(config)}, nil
}

func kafkaSASL(p map[string]string) ([]kgo.Opt, error) {
	if !strings.HasPrefix(p["security.protocol"], "SASL_") {
		return nil, nil
	}
	scramAuth := scram.Auth{User: p["sasl.scram.username"], Pass: p["sasl.scram.password"]}
	switch p["sasl.mechanism"] {
	case "PLAIN":
		return []kgo.Opt{kgo.SASL(plain.Auth{User: p["sasl.plain.username"], Pass: p["sasl.plain.password"]}.AsMechanism())}, nil
	case "SCRAM-SHA-512":
		return []kgo.Opt{kgo.SASL(scramAuth.AsSha512Mechanism())}, nil
	case "SCRAM-SHA-256":
		return []kgo.Opt{kgo.SASL(scramAuth.AsSha256Mechanism())}, nil
	}
	return nil, fault.InvalidRequest("sasl.mechanism %q is not one of PLAIN, SCRAM-SHA-512", p["sasl.mechanism"])
}
