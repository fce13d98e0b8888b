// Package thingd is a self-hosted device cloud that speaks AWS IoT Core's
// protocols and APIs. This page is the map.
//
// # The house
//
// Imports point down, and a test (floorplan_test.go) holds them to it.
//
//	cmd/thingd        the command line; one file per subcommand
//	thingd.go         type Server: New wires everything in order, Run serves, Close drains
//	config.go         every setting with its default
//
//	second floor      doors and pipes
//	  gateway         listeners, TLS, ALPN, WebSocket; hands connections to broker or api
//	  api             one method per AWS operation; translates, decides nothing
//	  console         the web console; calls the same Services as api
//	  s3gate          the embedded S3
//	  function        calls the webhooks that stand in for Lambda functions
//	  store           every Store in SQL, on SQLite or PostgreSQL
//
//	first floor       AWS's own nouns: a Service with verbs, a Store it asks
//	  lease           lets one of several servers do what is to be done once
//	  registry        things, types, groups, tags, links between things and certificates
//	  pki             our CA, device certificates and their status, registered CAs
//	  iam             access keys, roles, sessions; who may call the API
//	  access          IoT policies and attachments; what a device may do
//	  authorizer      custom authorizers and domain configurations
//	  settings        logging options, encryption: what an account sets for all of it
//	  shadow          device shadows
//	  rules           the rules engine; rules/iotsql is its language
//	  edgefleet       SageMaker Edge device fleets
//	  credentials     role aliases: a certificate in, a session out
//	  provisioning    templates, fleet provisioning, claims, bulk, makers' manifests
//	  broker          MQTT sessions, subscriptions, delivery, retained messages
//	  bridge          outbound integrations: messages to and from foreign brokers
//	  journal         refusals and disconnects, kept for whoever asks why
//	  kit             connection kits: what a device needs, in a zip
//
//	ground floor      languages: pure, no clock, disk or network
//	  fault           the one error kind
//	  arn             resource names
//	  topic           names, filters, the tree, reserved topics
//	  policy          policy documents: parse, decide, explain
//	  mqtt            packets to bytes and back
//	  message         what packages say to each other
//	  why             the causes of refusals, and what mends them
//	  aws/sigv4       signatures; aws/wire routing, codecs, errors;
//	                  aws/iot … shapes generated from the service models
//
// # Three walks
//
// A PUBLISH packet: gateway finishes TLS and hands the connection to broker. Its
// reader decodes the packet with mqtt, works out once per topic whether access
// lets this client publish there and who is to get it, puts it into the
// subscribers' outboxes, has it stored where a session must not lose it, and
// acknowledges.
//
// A shadow update: the message reaches shadow through the broker's topic tree,
// or through api over HTTPS. Both end in one verb, which merges and stores in one
// transaction and publishes accepted or rejected, delta and documents.
//
// CreateThing: aws/wire matches the route, iam verifies the signature and
// decides, wire decodes and validates the generated shape; api turns it into
// registry's verb; store writes it; the event goes out after the commit.
package thingd
