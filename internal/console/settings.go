package console

import (
	"thingd/internal/broker"
	"thingd/internal/fault"
)

// nowhere answers for paths that are no page.
func (v *visit) nowhere() error { return v.fault(fault.CodeNotFound, "error.nowhere") }

// limit is one row of the table of limits.
type limit struct{ Name, Doc, Value, AWS string }

// settings shows what a client has to know, and the rules of the broker.
func (v *visit) settings() error {
	if err := v.may("iot:DescribeEndpoint", "*"); err != nil {
		return err
	}
	var limits []limit
	for _, s := range broker.Settings() {
		limits = append(limits, limit{s.Name, s.Doc, brief(s.Value(v.Limits)), brief(s.Value(broker.AWS()))})
	}
	return v.render("settings", limits)
}

// rootCA is the file that clients must trust.
func (v *visit) rootCA() error {
	v.w.Header().Set("Content-Type", "application/x-pem-file")
	v.w.Header().Set("Content-Disposition", `attachment; filename="root-ca.pem"`)
	_, err := v.w.Write(v.RootCA)
	return err
}
