package bridge

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

const (
	pemMax          = 64 << 10 // bytes of one field
	certificatesMax = 32       // in one field
)

// readCertificates reads all certificates of a pasted text. What stands around
// them, such as a listing of openssl's, is passed over.
func readCertificates(text string) ([]*x509.Certificate, error) {
	if len(text) > pemMax {
		return nil, errors.New("it is too long")
	}
	var all []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			return nil, errors.New("it has a block " + clip(block.Type) + " where a CERTIFICATE should be")
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("a certificate in it cannot be read: " + clip(err.Error()))
		}
		if all = append(all, one); len(all) > certificatesMax {
			return nil, errors.New("it has too many certificates")
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it has no -----BEGIN CERTIFICATE-----")
	}
	return all, nil
}

// readKey reads a private key: PKCS #8, PKCS #1 or SEC 1, as AWS, openssl and
// thingd write them. Parameters of a curve that openssl puts in front are
// passed over.
func readKey(text string) (crypto.Signer, error) {
	if len(text) > pemMax {
		return nil, errors.New("it is too long")
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("it has no -----BEGIN PRIVATE KEY-----")
		}
		switch {
		case block.Type == "EC PARAMETERS":
		case strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, errors.New("it is encrypted; take the passphrase off first, with openssl pkey")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return parseKey(block.Bytes)
		default:
			return nil, errors.New("it has a block " + clip(block.Type) + " where a PRIVATE KEY should be")
		}
	}
}

func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it is of a kind that cannot sign")
	}
	return signer, nil
}

// fits says whether a key is the certificate's.
func fits(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

// normal writes certificates as they should have been pasted.
func normal(all []*x509.Certificate) string {
	var out bytes.Buffer
	for _, one := range all {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: one.Raw}) // a buffer takes all
	}
	return out.String()
}

// normalKey writes a key alone, without what was pasted around it.
func normalKey(key crypto.Signer) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", errors.New("it is of a kind that cannot be kept")
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// clientTLS makes the settings of a TLS connection of an integration that was
// checked.
func clientTLS(in Integration) (*tls.Config, error) {
	config := &tls.Config{ServerName: in.Host, MinVersion: tls.VersionTLS12}
	if in.Port == alpnPort {
		config.NextProtos = []string{alpnMQTT}
	}
	if in.RootCA != "" {
		roots, err := readCertificates(in.RootCA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		for _, one := range roots {
			config.RootCAs.AddCert(one)
		}
	}
	if in.Certificate == "" {
		return config, nil
	}
	pair, err := tls.X509KeyPair([]byte(in.Certificate), []byte(in.PrivateKey))
	if err != nil {
		return nil, err
	}
	// Shown whatever the server says which issuers it likes: brokers in the cloud
	// know certificates by registration, not by issuer.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return config, nil
}

// On this port AWS IoT Core tells MQTT from HTTPS by ALPN.
const (
	alpnPort = 443
	alpnMQTT = "x-amzn-mqtt-ca"
)
