package console

import (
	"net/url"
	"regexp"
	"slices"

	"thingd/internal/iam"
)

// iamName is what IAM allows in the names of users, roles and their policies
// (CreateUser, CreateRole, PutRolePolicy).
var iamName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

func (v *visit) checkIAMName(name string) error {
	if iamName.MatchString(name) {
		return nil
	}
	return v.wrong("iam.name.wrong")
}

// identity is a user or a role: both have policies of their own (inline), and
// policies that others may have too (managed).
type identity struct {
	kind iam.Kind
	Name string
	ARN  string
	Path string // of its page
}

// word is the kind as the names of IAM's actions have it.
func (i identity) word() string {
	if i.kind == iam.ByRole {
		return "Role"
	}
	return "User"
}

// identityInPath finds the role or user that the address names, and asks for
// the right to it: actions have its kind where %s stands. Somebody without the
// right does not learn whether there is one of this name.
func (v *visit) identityInPath(kind iam.Kind, before, after string) (identity, error) {
	who := identity{kind: kind, Name: v.r.PathValue("name")}
	var err error
	if kind == iam.ByRole {
		role := iam.Role{Name: who.Name, Path: "/"}
		if found, roleErr := v.IAM.Role(v.r.Context(), who.Name); roleErr == nil {
			role = found
		} else {
			err = roleErr
		}
		who.ARN, who.Path = v.IAM.RoleARN(role), Root+"roles/"+url.PathEscape(who.Name)
	} else {
		user := iam.User{Name: who.Name, Path: "/"}
		if found, userErr := v.IAM.User(v.r.Context(), who.Name); userErr == nil {
			user = found
		} else {
			err = userErr
		}
		who.ARN, who.Path = v.IAM.UserARN(user), Root+"users/"+url.PathEscape(who.Name)
	}
	if denied := v.may("iam:"+before+who.word()+after, who.ARN); denied != nil {
		return who, denied
	}
	return who, err
}

// granted is what a user or role may do.
type granted struct {
	Owner   identity
	Inline  []inlinePolicy
	Managed []iam.Policy
	Others  []iam.Policy // to choose from
	Edited  inlinePolicy // in the editor
	At      position     // of the problem, in the editor
	Wrong   told         // the problem
}

type inlinePolicy struct{ Name, Document string }

// emptyGrant is what the editor of a new inline policy begins with.
const emptyGrant = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "s3:PutObject",
      "Resource": "arn:aws:s3:::BUCKET/*"
    }
  ]
}`

func (v *visit) granted(who identity) (granted, error) {
	g := granted{Owner: who, Edited: inlinePolicy{Document: emptyGrant}}
	names, _, err := v.IAM.InlineNames(v.r.Context(), who.kind, who.Name, iam.Page{Size: 1000})
	if err != nil {
		return g, err
	}
	for _, name := range names {
		text, err := v.IAM.Inline(v.r.Context(), who.kind, who.Name, name)
		if err != nil {
			return g, err
		}
		g.Inline = append(g.Inline, inlinePolicy{name, pretty([]byte(text))})
		if name == v.query("edit") {
			g.Edited = g.Inline[len(g.Inline)-1]
		}
	}
	return g, v.fillManaged(&g)
}

func (v *visit) fillManaged(g *granted) error {
	attached, _, err := v.IAM.Attached(v.r.Context(), g.Owner.kind, g.Owner.Name, iam.Page{Size: 1000})
	if err != nil {
		return err
	}
	own, _, err := v.IAM.Policies(v.r.Context(), iam.Page{Size: 1000})
	if err != nil {
		return err
	}
	for _, p := range slices.Concat(own, iam.AllManagedByAWS()) {
		if slices.Contains(attached, p.ARN) {
			g.Managed = append(g.Managed, p)
		} else {
			g.Others = append(g.Others, p)
		}
	}
	return nil
}

// setInline writes or deletes an inline policy. A document that is refused is
// shown again with the place of the mistake.
func (v *visit) setInline(kind iam.Kind, again func(granted) error) error {
	before := "Put"
	if v.form("delete") != "" {
		before = "Delete"
	}
	who, err := v.identityInPath(kind, before, "Policy")
	if err != nil {
		return err
	}
	edited := inlinePolicy{v.form("policy"), plainLines(v.r.PostForm.Get("document"))}
	v.note("policy", edited.Name)
	if v.form("delete") != "" {
		if err := v.IAM.DeleteInline(v.r.Context(), kind, who.Name, edited.Name); err != nil {
			return err
		}
		return v.to(who.Path, "deleted")
	}
	err = v.checkIAMName(edited.Name)
	if err == nil {
		err = v.IAM.PutInline(v.r.Context(), kind, who.Name, edited.Name, edited.Document)
	}
	if err == nil {
		return v.to(who.Path, "saved")
	}
	g, failed := v.granted(who)
	if failed != nil {
		return failed
	}
	v.refused = err
	g.Edited, g.Wrong, g.At = edited, v.tell(err), mistakeIn(edited.Document, err)
	return again(g)
}

// setManaged attaches a managed policy or takes it off.
func (v *visit) setManaged(kind iam.Kind) error {
	before, do := "Attach", v.IAM.Attach
	if v.form("detach") != "" {
		before, do = "Detach", v.IAM.Detach
	}
	who, err := v.identityInPath(kind, before, "Policy")
	if err != nil {
		return err
	}
	v.note("policy", v.form("arn"))
	if err := do(v.r.Context(), kind, who.Name, v.form("arn")); err != nil {
		return err
	}
	return v.to(who.Path, "saved")
}

// grantEditor is the part of a page about what a user or role may do.
type grantEditor struct {
	*view
	granted
}

// Grants gives it.
func (v *view) Grants(g granted) grantEditor { return grantEditor{v, g} }

// Granted gives what a page has of it among other fields.
func (g granted) Granted() granted { return g }
