package console

import (
	"strings"

	"thingd/internal/fault"
	"thingd/internal/rules"
)

// destinationsPage is the list of topic rule destinations, and their forms.
type destinationsPage struct {
	Destinations []destinationRow
	Next         string // the ID after which the next page begins
	First        bool
	Form         destinationForm
}

// destinationForm is what was filled in, and what is wrong in which field.
type destinationForm struct {
	URL, VPC, Subnets, Groups, Role, Token string
	Field                                  string
	Problem                                told
}

// Wrong says whether a field has the mistake.
func (f destinationForm) Wrong(field string) bool { return f.Field == field }

// Below is what is wrong with a field.
func (f destinationForm) Below(field string) told {
	if f.Wrong(field) {
		return f.Problem
	}
	return nil
}

type destinationRow struct {
	rules.Destination
	ARN string
}

// Confirmed says whether the owner of the URL has agreed.
func (d destinationRow) Confirmed() bool {
	return d.Status == rules.Enabled || d.Status == rules.Disabled
}

const destinationsSize = 50 // of a page

func (v *visit) destinations() error { return v.listDestinations("", nil) }

// listDestinations shows the list and, with a problem, the form of the field that
// has it as it was filled in.
func (v *visit) listDestinations(field string, problem error) error {
	if err := v.list("iot:ListTopicRuleDestinations", problem); err != nil {
		return err
	}
	said := v.outcomeOf(problem)
	after := v.query("token")
	list, err := v.Rules.Destinations(v.r.Context(), after, destinationsSize+1)
	if err != nil {
		return err
	}
	page := destinationsPage{First: after == "", Form: destinationForm{
		v.form("url"), v.form("vpc"), v.form("subnets"), v.form("groups"), v.form("role"), v.form("token"), field, said.Problem,
	}}
	if len(list) > destinationsSize {
		list, page.Next = list[:destinationsSize], list[destinationsSize-1].ID
	}
	for _, one := range list {
		page.Destinations = append(page.Destinations, destinationRow{one, v.Rules.DestinationARN(one)})
	}
	return v.renderWith(said.Status, "destinations", page)
}

// createDestination adds a URL, whose owner is asked to confirm, or a private
// network.
func (v *visit) createDestination() error {
	if err := v.may("iot:CreateTopicRuleDestination", "*"); err != nil {
		return err
	}
	field, wanted := "url", rules.Destination{URL: v.form("url")}
	if id := v.form("vpc"); id != "" {
		field = "vpc"
		wanted.VPC = &rules.VPC{ID: id, SubnetIDs: listOf(v.form("subnets")), SecurityGroups: listOf(v.form("groups")), RoleARN: v.form("role")}
	}
	made, err := v.Rules.CreateDestination(v.r.Context(), wanted)
	if err != nil {
		return v.listDestinations(field, err)
	}
	v.note("destination", v.Rules.DestinationARN(made))
	if made.URL != "" {
		return v.to(Root+"destinations", "destination.asked", made.URL)
	}
	return v.to(Root+"destinations", "saved")
}

// listOf splits a list that is written with commas or blanks.
func listOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' })
}

// confirmDestination takes the token that the URL has got.
func (v *visit) confirmDestination() error {
	if err := v.may("iot:ConfirmTopicRuleDestination", "*"); err != nil {
		return err
	}
	if err := v.Rules.ConfirmDestination(v.r.Context(), v.form("token")); err != nil {
		return v.listDestinations("token", err)
	}
	return v.to(Root+"destinations", "destination.confirmed")
}

// setDestination enables or disables a destination, asks again or deletes it.
func (v *visit) setDestination() error {
	arn, to := v.form("arn"), rules.Status(v.form("to"))
	v.note("destination", arn)
	v.note("status", to)
	action := "iot:UpdateTopicRuleDestination"
	if to == "deleted" {
		action = "iot:DeleteTopicRuleDestination"
	}
	if err := v.may(action, arn); err != nil {
		return err
	}
	if to == "deleted" {
		if err := v.Rules.DeleteDestination(v.r.Context(), arn); err != nil && !fault.Is(err, fault.CodeNotFound) {
			return err
		}
		return v.to(Root+"destinations", "deleted")
	}
	if err := v.Rules.UpdateDestination(v.r.Context(), arn, to); err != nil {
		return err
	}
	return v.to(Root+"destinations", "saved")
}

var destinationRoutes = []route{
	{"GET /console/destinations", (*visit).destinations},
	{"POST /console/destinations", (*visit).createDestination},
	{"POST /console/destinations/confirm", (*visit).confirmDestination},
	{"POST /console/destinations/status", (*visit).setDestination},
}
