package authorizer

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// The names under which clients send what authorizers need, in headers, query
// strings and the query that a user name may end with.
const (
	NameKey      = "x-amz-customauthorizer-name"
	SignatureKey = "x-amz-customauthorizer-signature"
)

// Offer is what a client brings to an authorizer.
type Offer struct {
	ServerName string // TLS SNI or host; "" when not said
	HTTP       *HTTP  // of a request or a WebSocket upgrade
	MQTT       *MQTT  // of a CONNECT

	// Certificate is the client's, PEM, and CertificateID its ID, where the
	// domain asks for a certificate as well.
	Certificate   string
	CertificateID string
}

// HTTP is what came with a request.
type HTTP struct {
	Headers map[string]string // one value each
	Query   string            // with its ?; "" without one
}

// MQTT is what came with a CONNECT.
type MQTT struct {
	Username string
	Password []byte
	ClientID string
}

// Names says whether the offer names an authorizer, or brings a signature for
// one.
func (o *Offer) Names() bool { return o.value(NameKey) != "" || o.value(SignatureKey) != "" }

// value finds a value by its name: in the query of the user name, in the query
// string, in the headers.
func (o *Offer) value(key string) string {
	if key == "" {
		return ""
	}
	if o.MQTT != nil {
		if _, query, ok := strings.Cut(o.MQTT.Username, "?"); ok {
			if v := queryValue(query, key); v != "" {
				return v
			}
		}
	}
	if o.HTTP == nil {
		return ""
	}
	if v := queryValue(strings.TrimPrefix(o.HTTP.Query, "?"), key); v != "" {
		return v
	}
	return o.HTTP.header(key)
}

// queryValue reads what can be read of a query; the rest of a broken one is not
// ours to judge.
func queryValue(query, key string) string {
	values, _ := url.ParseQuery(query)
	if v := values.Get(key); v != "" {
		return v
	}
	for name, all := range values {
		if strings.EqualFold(name, key) && len(all) > 0 {
			return all[0]
		}
	}
	return ""
}

// header reads a header. Clients that escape signatures for queries escape them
// in headers too.
func (h *HTTP) header(key string) string {
	for name, v := range h.Headers {
		if !strings.EqualFold(name, key) {
			continue
		}
		if plain, err := url.PathUnescape(v); err == nil && strings.EqualFold(key, SignatureKey) {
			return plain
		}
		return v
	}
	return ""
}

// event is what a function gets.
type event struct {
	Token             string     `json:"token,omitzero"`
	SignatureVerified bool       `json:"signatureVerified"`
	Protocols         []string   `json:"protocols"`
	Data              eventData  `json:"protocolData"`
	Connection        connection `json:"connectionMetadata"`
}

type eventData struct {
	TLS  *eventTLS  `json:"tls,omitzero"`
	HTTP *eventHTTP `json:"http,omitzero"`
	MQTT *eventMQTT `json:"mqtt,omitzero"`
}

type eventTLS struct {
	ServerName  string `json:"serverName,omitzero"`
	Certificate string `json:"x509CertificatePem,omitzero"` // name unconfirmed
	PrincipalID string `json:"principalId,omitzero"`        // name unconfirmed
}

type eventHTTP struct {
	Headers map[string]string `json:"headers,omitzero"`
	Query   string            `json:"queryString,omitzero"`
}

type eventMQTT struct {
	Username string `json:"username,omitzero"` // with its query (unconfirmed): who wants less can cut it
	Password string `json:"password,omitzero"` // base64
	ClientID string `json:"clientId,omitzero"`
}

type connection struct {
	ID string `json:"id"`
}

// event words the offer for a function.
func (o *Offer) event(token string, verified bool, id string) event {
	e := event{Token: token, SignatureVerified: verified, Protocols: []string{}, Connection: connection{id}}
	if o.ServerName != "" || o.Certificate != "" {
		e.Protocols = append(e.Protocols, "tls")
		e.Data.TLS = &eventTLS{o.ServerName, o.Certificate, o.CertificateID}
	}
	if h := o.HTTP; h != nil {
		e.Protocols = append(e.Protocols, "http")
		e.Data.HTTP = &eventHTTP{h.Headers, h.Query}
	}
	if m := o.MQTT; m != nil {
		e.Protocols = append(e.Protocols, "mqtt")
		e.Data.MQTT = &eventMQTT{m.Username, base64.StdEncoding.EncodeToString(m.Password), m.ClientID}
	}
	return e
}
