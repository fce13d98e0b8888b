package pki_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/fault"
	"thingd/internal/pki"
)

func TestRegisterCA(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	code, err := h.RegistrationCode(ctx)
	if err != nil || len(code) != 64 {
		t.Fatal(code, err)
	}
	mine := newCA(t, "mine")
	body := pki.Registration{TemplateBody: "{}", RoleARN: "arn:aws:iam::111122223333:role/r"}
	for _, test := range []struct {
		name  string
		order pki.CAOrder
		code  fault.Code
	}{
		{"refused/proof by another CA", pki.CAOrder{PEM: text(mine.cert), Verification: newCA(t, "mine").proof(t, code)}, fault.CodeCertificateValidation},
		{"refused/proof over another code", pki.CAOrder{PEM: text(mine.cert), Verification: mine.proof(t, "c0de")}, fault.CodeRegistrationCode},
		{"refused/no proof", pki.CAOrder{PEM: text(mine.cert)}, fault.CodeInvalidRequest},
		{"refused/proof for SNI_ONLY", pki.CAOrder{PEM: text(mine.cert), Mode: pki.ModeSNIOnly, Verification: mine.proof(t, code)}, fault.CodeInvalidRequest},
		{"refused/no CA", pki.CAOrder{PEM: text(mine.leaf(t, "x")), Mode: pki.ModeSNIOnly}, fault.CodeCertificateValidation},
		{"refused/template by name and body", pki.CAOrder{PEM: text(mine.cert), Mode: pki.ModeSNIOnly,
			Registration: pki.Registration{TemplateBody: "{}", RoleARN: "r", TemplateName: "t"}}, fault.CodeInvalidRequest},
		{"refused/template without role", pki.CAOrder{PEM: text(mine.cert), Mode: pki.ModeSNIOnly,
			Registration: pki.Registration{TemplateBody: "{}"}}, fault.CodeInvalidRequest},
		{"ok/with proof", pki.CAOrder{PEM: text(mine.cert), Verification: mine.proof(t, code), Registration: body}, ""},
		{"conflict/again", pki.CAOrder{PEM: text(mine.cert), Verification: mine.proof(t, code)}, fault.CodeAlreadyExists},
		{"ok/without proof", pki.CAOrder{PEM: text(newCA(t, "sni").cert), Mode: pki.ModeSNIOnly}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := h.RegisterCA(ctx, test.order)
			wantCode(t, err, test.code)
		})
	}
	t.Run("ok/record", func(t *testing.T) {
		id := pki.IDOf(mine.cert.Raw)
		got, err := h.DescribeCA(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		want := pki.CA{ID: id, PEM: text(mine.cert), Subject: got.Subject, Mode: pki.ModeDefault, Created: start, Modified: start, Version: 1,
			Generation: got.Generation, NotBefore: mine.cert.NotBefore, NotAfter: mine.cert.NotAfter, Registration: body}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("refused/an eleventh of one name", func(t *testing.T) {
		for range 10 {
			if _, err := h.RegisterCA(ctx, pki.CAOrder{PEM: text(newCA(t, "many").cert), Mode: pki.ModeSNIOnly}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := h.RegisterCA(ctx, pki.CAOrder{PEM: text(newCA(t, "many").cert), Mode: pki.ModeSNIOnly})
		wantCode(t, err, fault.CodeLimitExceeded)
	})
}

func TestRegistrationCode(t *testing.T) {
	h := open(t)
	wantCode(t, h.DeleteRegistrationCode(t.Context()), fault.CodeNotFound)
	first, _ := h.RegistrationCode(t.Context())
	again, _ := h.RegistrationCode(t.Context())
	wantCode(t, h.DeleteRegistrationCode(t.Context()), "")
	other, _ := h.RegistrationCode(t.Context())
	if first == "" || first != again || other == first {
		t.Error(first, again, other)
	}
}

func TestUpdateCA(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	made := newCA(t, "mine").register(t, h, pki.Registration{})
	yes, no := true, false
	for _, step := range []struct {
		name   string
		change pki.CAChange
		want   func(*pki.CA)
	}{
		{"ok/nothing", pki.CAChange{Active: &yes}, func(*pki.CA) {}},
		{"ok/template", pki.CAChange{Registration: &pki.Registration{TemplateName: "t"}}, func(c *pki.CA) {
			c.Registration.TemplateName, c.Version = "t", 2
		}},
		{"ok/off", pki.CAChange{Active: &no, AutoRegistration: &no, RemoveRegistration: true}, func(c *pki.CA) {
			c.Active, c.AutoRegistration, c.Registration, c.Version = false, false, pki.Registration{}, 3
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			wantCode(t, h.UpdateCA(ctx, made.ID, step.change), "")
			step.want(&made)
			got, err := h.DescribeCA(ctx, made.ID)
			if diff := cmp.Diff(made, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
			if step.change.Registration != nil {
				wantCode(t, h.DeleteCA(ctx, made.ID), fault.CodeCertificateState)
				all, _, err := h.ListCAs(ctx, "t", pki.Page{})
				if len(all) != 1 || err != nil {
					t.Error(all, err)
				}
			}
		})
	}
	wantCode(t, h.DeleteCA(ctx, made.ID), "")
	wantCode(t, h.DeleteCA(ctx, made.ID), fault.CodeNotFound)
}

func TestProviders(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	p := pki.Provider{Name: "signer", LambdaARN: "arn:l", Operations: []string{"CreateCertificateFromCsr"}}
	for _, step := range []struct {
		name     string
		provider pki.Provider
		code     fault.Code
	}{
		{"ok/new", p, ""},
		{"ok/the same again", p, ""},
		{"conflict/another function", pki.Provider{Name: "signer", LambdaARN: "arn:m", Operations: p.Operations}, fault.CodeAlreadyExists},
		{"refused/a second", pki.Provider{Name: "other", LambdaARN: "arn:l", Operations: p.Operations}, fault.CodeLimitExceeded},
	} {
		t.Run(step.name, func(t *testing.T) {
			_, err := h.CreateProvider(ctx, step.provider)
			wantCode(t, err, step.code)
		})
	}
	wantCode(t, h.UpdateProvider(ctx, "signer", "arn:n", nil), "")
	all, err := h.ListProviders(ctx)
	want := []pki.Provider{{Name: "signer", LambdaARN: "arn:n", Operations: p.Operations, Created: start, Modified: start}}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Error(err, diff)
	}
	wantCode(t, h.DeleteProvider(ctx, "signer"), "")
	_, err = h.DescribeProvider(ctx, "signer")
	wantCode(t, err, fault.CodeNotFound)
}
