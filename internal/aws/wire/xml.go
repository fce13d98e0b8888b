package wire

import (
	"encoding/base64"
	"encoding/xml"
	"reflect"
	"strings"
	"time"
)

// xmlOutput is the body of a Query answer:
//
//	<OpResponse xmlns="..."><OpResult>...</OpResult><ResponseMetadata><RequestId>...
func (sc *schema) xmlOutput(op *Operation, out reflect.Value, requestID string) []byte {
	w := &xmlWriter{schema: sc}
	w.b.WriteString("<" + op.Name + `Response xmlns="` + sc.service.XMLNamespace + `">`)
	if op.Out != nil {
		wrapper := op.ResultWrapper
		if wrapper == "" {
			wrapper = op.Name + "Result"
		}
		w.element(wrapper, outputOf(op, out))
	}
	w.b.WriteString("<ResponseMetadata>")
	w.text("RequestId", requestID)
	w.b.WriteString("</ResponseMetadata></" + op.Name + "Response>\n")
	return []byte(w.b.String())
}

// xmlError is the body of a Query error.
func xmlError(namespace, code, message, requestID string, status int) []byte {
	blame := "Sender"
	if status >= 500 {
		blame = "Receiver"
	}
	w := &xmlWriter{}
	w.b.WriteString(`<ErrorResponse xmlns="` + namespace + `"><Error>`)
	w.text("Type", blame)
	w.text("Code", code)
	w.text("Message", message)
	w.b.WriteString("</Error>")
	w.text("RequestId", requestID)
	w.b.WriteString("</ErrorResponse>\n")
	return []byte(w.b.String())
}

type xmlWriter struct {
	schema *schema
	b      strings.Builder
}

// element writes a value between tags of this name. Lists hold <member>s, maps
// hold <entry>s of <key> and <value>.
func (w *xmlWriter) element(name string, v reflect.Value) {
	v = reflect.Indirect(v)
	switch {
	case v.Type() == timeType:
		w.text(name, v.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05Z"))
	case v.Type() == bytesType:
		w.text(name, base64.StdEncoding.EncodeToString(v.Bytes()))
	case v.Kind() == reflect.Struct:
		w.wrap(name, func() { w.members(v) })
	case v.Kind() == reflect.Slice:
		w.wrap(name, func() {
			for i := range v.Len() {
				w.element("member", v.Index(i))
			}
		})
	case v.Kind() == reflect.Map:
		w.wrap(name, func() { w.entries(v) })
	default:
		w.text(name, scalarText(v))
	}
}

func (w *xmlWriter) members(v reflect.Value) {
	p := w.schema.plan(v.Type())
	for i := range p.members {
		m := &p.members[i]
		if field := v.Field(m.index); !absent(field, m) {
			w.element(m.name, field)
		}
	}
}

func (w *xmlWriter) entries(v reflect.Value) {
	for _, key := range mapKeys(v) {
		w.wrap("entry", func() {
			w.text("key", key)
			w.element("value", v.MapIndex(reflect.ValueOf(key)))
		})
	}
}

func (w *xmlWriter) wrap(name string, inside func()) {
	w.b.WriteString("<" + name + ">")
	inside()
	w.b.WriteString("</" + name + ">")
}

func (w *xmlWriter) text(name, value string) {
	w.wrap(name, func() { xml.EscapeText(&w.b, []byte(value)) })
}
