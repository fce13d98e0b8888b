package provisioning

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/provisioning/template"
)

// The beginnings of the topics of fleet provisioning.
const (
	createTopic   = "$aws/certificates/create/"
	fromCSRTopic  = "$aws/certificates/create-from-csr/"
	templateTopic = "$aws/provisioning-templates/"
)

// Filters select the topics that Handler is for.
func Filters() []string {
	return []string{createTopic + "+", fromCSRTopic + "+", templateTopic + "+/provision/+"}
}

// request is what a device asks for over MQTT.
type request struct {
	verb     func(*Service, context.Context, *request) (any, error)
	template string // of RegisterThing
	encoding encoding
	message  message.Message
}

// requestTimeout bounds one request: store, hook and a key in the making.
const requestTimeout = 30 * time.Second

// Handler takes the messages of the topics under Filters. It only sorts them;
// the work is done on the client's lane. Answers go to the asking connection and
// nobody else: the topics name no client, and the payload has a private key. They
// go at the QoS of its subscription, and nowhere without one.
func (s *Service) Handler() (message.Handler, error) {
	known, err := newEncodings()
	if err != nil {
		return nil, err
	}
	return func(m message.Message, done message.Done) {
		r, ok := parseTopic(m.Topic, known)
		if !ok || m.Origin.Reply == nil || m.Origin.Kind == message.FromWill {
			done(nil) // there is nobody to give an answer to
			return
		}
		r.message = m
		if !s.lanes.add(m.Origin.ClientID, func() { s.serve(r); done(nil) }) {
			r.reply(nil, &refusal{429, "TooManyRequests", "Too many requests are waiting; try again later."})
			done(nil)
		}
	}, nil
}

func parseTopic(topic string, known encodings) (*request, bool) {
	r := &request{}
	format, ok := strings.CutPrefix(topic, createTopic)
	if ok {
		r.verb = (*Service).createKeys
	} else if format, ok = strings.CutPrefix(topic, fromCSRTopic); ok {
		r.verb = (*Service).createFromCSR
	} else if rest, found := strings.CutPrefix(topic, templateTopic); found {
		r.template, format, ok = strings.Cut(rest, "/provision/")
		r.verb = (*Service).provision
	}
	encoding, isKnown := known[format]
	r.encoding = encoding
	return r, ok && isKnown
}

// serve does what is asked and answers.
func (s *Service) serve(r *request) {
	ctx, cancel := context.WithTimeout(s.life, requestTimeout)
	defer cancel()
	answer, err := r.verb(s, ctx, r)
	if err == nil {
		r.reply(answer, nil)
		return
	}
	told := refusalOf(err)
	if told.Status >= 500 {
		s.log.Error("a provisioning request failed", "topic", r.message.Topic, "client", r.message.Origin.ClientID, "error", err)
	} else {
		s.log.Info("a device was not provisioned", "topic", r.message.Topic, "client", r.message.Origin.ClientID,
			"principal", r.message.Origin.Principal, "reason", told.Error())
	}
	r.reply(nil, told)
}

// reply sends the answer, or the refusal if there is one.
func (r *request) reply(answer any, refused *refusal) {
	suffix := "/accepted"
	if refused != nil {
		answer, suffix = refused, "/rejected"
	}
	payload, err := r.encoding.encode(answer)
	if err != nil {
		panic("provisioning: an answer does not encode: " + err.Error())
	}
	r.message.Origin.Reply(message.Message{Topic: r.message.Topic + suffix, Payload: payload, QoS: message.QoS1})
}

// refusals gives the status of each code, and AWS's word for it over MQTT. Only
// 400 and 403 were seen on AWS; the rest is unconfirmed.
var refusals = map[fault.Code]refusal{
	fault.CodeInvalidRequest:         {Status: 400, Code: "InvalidRequest"},
	fault.CodeRegistrationFailure:    {Status: 400, Code: "ResourceRegistrationFailure"},
	fault.CodeCertificateValidation:  {Status: 400, Code: "CertificateValidation"},
	fault.CodeAccessDenied:           {Status: 403, Code: "AccessDenied"},
	fault.CodeNotFound:               {Status: 404, Code: "ResourceNotFound"},
	fault.CodeConflict:               {Status: 409, Code: "Conflict"},
	fault.CodeConflictingUpdate:      {Status: 409, Code: "ResourceConflict"},
	fault.CodeCertificateState:       {Status: 409, Code: "CertificateState"},
	fault.CodeLimitExceeded:          {Status: 429, Code: "LimitExceeded"},
	fault.CodeThrottling:             {Status: 429, Code: "TooManyRequests"},
	fault.CodeServiceUnavailable:     {Status: 503, Code: "ServiceUnavailable"},
	fault.CodeVersionsLimitExceeded:  {Status: 429, Code: "LimitExceeded"},
	fault.CodeInvalidStateTransition: {Status: 409, Code: "Conflict"},
}

// refusalOf says to a device what is wrong; what is ours to mend it is not told.
func refusalOf(err error) *refusal {
	if told, ok := errors.AsType[*refusal](err); ok {
		return told
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		if told, known := refusals[f.Code]; known {
			told.Message = f.Message
			return &told
		}
	}
	return &refusal{500, "InternalServerError", "The request failed; try again later."}
}

// created is the answer to CreateKeysAndCertificate and CreateCertificateFromCsr.
type created struct {
	Token       string            `json:"certificateOwnershipToken"`
	Certificate pki.CertificateID `json:"certificateId"`
	PEM         string            `json:"certificatePem"`
	PrivateKey  string            `json:"privateKey,omitempty"`
}

// createKeys is CreateKeysAndCertificate. Its payload says nothing.
func (s *Service) createKeys(ctx context.Context, _ *request) (any, error) {
	token, note := s.newToken()
	cert, keys, err := s.pki.CreateKeys(ctx, pki.Order{Status: pki.PendingActivation, Before: note})
	return created{token, cert.ID, cert.PEM, keys.Private}, err
}

// createFromCSR is CreateCertificateFromCsr.
func (s *Service) createFromCSR(ctx context.Context, r *request) (any, error) {
	var in struct {
		CSR string `json:"certificateSigningRequest"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if in.CSR == "" {
		return nil, &refusal{400, "InvalidCsr", "Certificate signing request cannot be empty."}
	}
	token, note := s.newToken()
	from := r.message.Origin
	cert, err := s.pki.CreateFromCSR(ctx, in.CSR, pki.Order{
		Status: pki.PendingActivation, Before: note, Requester: &pki.Requester{PrincipalID: from.Principal, ClientID: from.ClientID},
	})
	return created{Token: token, Certificate: cert.ID, PEM: cert.PEM}, csrRefusal(err)
}

// csrRefusal has words of its own for two errors: a request that is no good, and
// a certificate provider that fails, of which a device is not told more.
func csrRefusal(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case ok && f.Code == fault.CodeInvalidRequest:
		return &refusal{400, "InvalidCsr", f.Message}
	case ok && f.Code == fault.CodeServiceUnavailable:
		return fault.New(fault.CodeServiceUnavailable, "The certificate could not be issued; try again later.").Because(err)
	}
	return err
}

func (r *request) decode(into any) error {
	if err := r.encoding.decode(r.message.Payload, into); err != nil {
		return &refusal{400, "InvalidRequest", "The payload cannot be read."}
	}
	return nil
}

// provisionRequest is the payload of RegisterThing over MQTT.
type provisionRequest struct {
	Token      string            `json:"certificateOwnershipToken"`
	Parameters map[string]string `json:"parameters"`
}

// provisioned is the answer to RegisterThing over MQTT.
type provisioned struct {
	DeviceConfiguration any    `json:"deviceConfiguration"`
	Thing               string `json:"thingName,omitempty"`
}

// provision is RegisterThing. The token is used up by success alone, so that a
// device can try again after the operator has mended what was wrong.
func (s *Service) provision(ctx context.Context, r *request) (any, error) {
	var in provisionRequest
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if in.Token == "" {
		return nil, badToken("Certificate ownership token cannot be empty.")
	}
	record, version, err := s.Template(ctx, r.template)
	if err != nil {
		return nil, err
	}
	if !record.Enabled || record.Kind != template.Fleet {
		return nil, fault.New(fault.CodeAccessDenied, "Provisioning template %s is not enabled for fleet provisioning.", record.Name)
	}
	token, err := s.takeToken(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	done, err := s.provisionBy(ctx, r, record, version.Body, token, in.Parameters)
	if err != nil {
		s.giveTokenBack(ctx, token)
		return nil, err
	}
	if err := s.store.Update(ctx, func(tx Tx) error { return tx.DeleteToken(token.Hash) }); err != nil {
		return nil, err
	}
	return provisioned{plain(done.DeviceConfiguration), done.Thing}, nil
}

// provisionBy asks the hook, then runs the template.
func (s *Service) provisionBy(ctx context.Context, r *request, record Template, body string, token Token, parameters map[string]string) (Registered, error) {
	cert, err := s.pki.Describe(ctx, token.Certificate)
	if fault.Is(err, fault.CodeNotFound) {
		err = badToken("The certificate of the ownership token was deleted.")
	}
	if err == nil {
		err = provisionable(cert)
	}
	if err != nil {
		return Registered{}, err
	}
	parameters = clients(parameters)
	parameters, err = s.askHook(ctx, record.Hook, hookEvent{
		ClaimCertificateID: r.message.Origin.Principal, CertificateID: cert.ID, CertificatePEM: cert.PEM,
		TemplateARN: s.ARN(record.Name), ClientID: r.message.Origin.ClientID, Parameters: parameters,
	})
	if err != nil {
		return Registered{}, err
	}
	t, err := template.Parse(body, template.Fleet)
	if err != nil {
		return Registered{}, err
	}
	parameters = clients(parameters)
	parameters[template.CertificateID] = string(cert.ID)
	if missing := t.Missing(parameters); len(missing) > 0 {
		return Registered{}, &refusal{400, "InvalidParameters", "Parameters without a value: " + strings.Join(missing, ", ")}
	}
	plan, err := t.Evaluate(s.input(parameters))
	if err != nil {
		return Registered{}, err
	}
	if err := onlyFor(plan, cert.ID); err != nil {
		return Registered{}, err
	}
	return s.carryOut(ctx, plan, attempt{})
}

// provisionable says whether the holder of its token may have a certificate
// provisioned: it waits for that or, where the server ended just after it, has
// been. Who has withdrawn it meanwhile, or begun to give it away, meant it.
func provisionable(cert pki.Certificate) error {
	if cert.Status == pki.PendingActivation || cert.Status == pki.Active {
		return nil
	}
	return fault.New(fault.CodeCertificateState, "The certificate is %s; it cannot be provisioned.", cert.Status)
}

// clients gives the parameters that are not the server's to set.
func clients(parameters map[string]string) map[string]string {
	own := maps.Clone(parameters)
	if own == nil {
		own = map[string]string{}
	}
	maps.DeleteFunc(own, func(name, _ string) bool { return template.IsServers(name) })
	return own
}
