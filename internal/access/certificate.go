package access

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"thingd/internal/policy"
)

// attributeNames are AWS's names for the attributes of a distinguished name
// (AWS IoT policy variables of certificates; object identifiers of X.520 and RFC 5280).
var attributeNames = map[string]string{
	"2.5.4.3":  "CommonName",
	"2.5.4.4":  "Surname",
	"2.5.4.5":  "SerialNumber",
	"2.5.4.6":  "Country",
	"2.5.4.8":  "State",
	"2.5.4.10": "Organization",
	"2.5.4.11": "OrganizationalUnit",
	"2.5.4.12": "Title",
	"2.5.4.42": "GivenName",
	"2.5.4.43": "Initials",
	"2.5.4.44": "GenerationQualifier",
	"2.5.4.46": "DistinguishedNameQualifier",
	"2.5.4.65": "Pseudonym",
}

// generalNames are AWS's names for the kinds of alternative names, by their tag
// (RFC 5280, 4.2.1.6).
var generalNames = map[int]string{
	1: "RFC822Name",
	2: "DNSName",
	4: "DirectoryName",
	6: "UniformResourceIdentifier",
	7: "IPAddress",
}

var (
	subjectAlternativeName = asn1.ObjectIdentifier{2, 5, 29, 17}
	issuerAlternativeName  = asn1.ObjectIdentifier{2, 5, 29, 18}
)

// certificateVariables reads all variables of a certificate.
func certificateVariables(cert *x509.Certificate) policy.Values {
	found := map[string][]string{}
	addName(found, "iot:Certificate.Subject.", cert.Subject)
	addName(found, "iot:Certificate.Issuer.", cert.Issuer)
	for _, e := range cert.Extensions {
		switch {
		case e.Id.Equal(subjectAlternativeName):
			addAlternatives(found, "iot:Certificate.Subject.AlternativeName.", e.Value)
		case e.Id.Equal(issuerAlternativeName):
			addAlternatives(found, "iot:Certificate.Issuer.AlternativeName.", e.Value)
		}
	}
	values := policy.Values{}
	var names []string
	for name, all := range found {
		values.SetAttribute(name, all...)
		names = append(names, name)
	}
	if cert.SerialNumber != nil { // in hexadecimal, as tools print it (unconfirmed)
		values.Set("iot:Certificate.SerialNumber", cert.SerialNumber.Text(16))
		names = append(names, "iot:Certificate.SerialNumber")
	}
	slices.Sort(names)
	values.Set("iot:Certificate.AvailableKeys", names...)
	return values
}

func addName(found map[string][]string, prefix string, name pkix.Name) {
	for _, attribute := range name.Names {
		text, isText := attribute.Value.(string)
		key, known := attributeNames[attribute.Type.String()]
		if isText && known {
			found[prefix+key] = append(found[prefix+key], text)
		}
	}
}

// addAlternatives reads a sequence of general names. What it cannot read has no
// value.
func addAlternatives(found map[string][]string, prefix string, der []byte) {
	var sequence asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 || !sequence.IsCompound {
		return
	}
	for rest := sequence.Bytes; len(rest) > 0; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return
		}
		key, known := generalNames[name.Tag]
		text := generalName(name)
		if known && text != "" && name.Class == asn1.ClassContextSpecific {
			found[prefix+key] = append(found[prefix+key], text)
		}
	}
}

// generalName gives the text of one general name, "" if it has none.
func generalName(name asn1.RawValue) string {
	switch name.Tag {
	case 1, 2, 6:
		return string(name.Bytes)
	case 4:
		return directoryName(name.Bytes)
	case 7:
		if address, ok := netip.AddrFromSlice(name.Bytes); ok {
			return address.String()
		}
	}
	return ""
}

// directoryName writes a distinguished name as text, the last part first (RFC
// 4514), with a backslash before the characters that AWS names.
func directoryName(der []byte) string {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return ""
	}
	var parts []string
	for _, set := range slices.Backward(sequence) {
		var pairs []string
		for _, attribute := range set {
			pairs = append(pairs, shortName(attribute.Type)+"="+escapeRDN(fmt.Sprint(attribute.Value)))
		}
		parts = append(parts, strings.Join(pairs, "+"))
	}
	return strings.Join(parts, ",")
}

// shortNames are the keywords of RFC 4514.
var shortNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
	"2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

func shortName(id asn1.ObjectIdentifier) string {
	if name, ok := shortNames[id.String()]; ok {
		return name
	}
	return id.String()
}

func escapeRDN(value string) string {
	var b strings.Builder
	for _, r := range value {
		if strings.ContainsRune(`,"\+=<>;`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
