package console

import (
	"net/http"

	"thingd/internal/iam"
)

// usersPage is a part of the list, with the form of a new user.
type usersPage struct {
	outcome
	Users []iam.User
	Next  string
	First bool
	Name  string
}

func (v *visit) users() error { return v.listUsers("", nil) }

func (v *visit) listUsers(name string, problem error) error {
	if err := v.may("iam:ListUsers", v.Scope.IAM("user/")); err != nil {
		if problem != nil {
			return problem
		}
		return err
	}
	page := usersPage{outcome: v.outcomeOf(problem), First: v.query("token") == "", Name: name}
	var err error
	if page.Users, page.Next, err = v.IAM.Users(v.r.Context(), iam.Page{Marker: v.query("token")}); err != nil {
		return err
	}
	return v.renderWith(page.Status, "users", page)
}

func (v *visit) createUser() error {
	name := v.form("name")
	v.note("user", name)
	if err := v.may("iam:CreateUser", v.Scope.IAM("user/"+name)); err != nil {
		return err
	}
	err := v.checkIAMName(name)
	if err == nil {
		_, err = v.IAM.CreateUser(v.r.Context(), iam.User{Name: name})
	}
	if err != nil {
		return v.listUsers(name, err)
	}
	return v.to(Root+"users/"+name, "created.named", name)
}

// userPage is one user in full.
type userPage struct {
	iam.User
	granted
	Keys []iam.AccessKey
}

func (v *visit) user() error {
	who, err := v.identityInPath(iam.ByUser, "Get", "")
	if err != nil {
		return err
	}
	g, err := v.granted(who)
	if err != nil {
		return err
	}
	return v.showUser(http.StatusOK, g)
}

func (v *visit) showUser(status int, g granted) error {
	user, err := v.IAM.User(v.r.Context(), g.Owner.Name)
	if err != nil {
		return err
	}
	page := userPage{User: user, granted: g}
	if page.Keys, err = v.IAM.AccessKeys(v.r.Context(), user.Name); err != nil {
		return err
	}
	return v.renderWith(status, "user", page)
}

// keyPage shows a new access key, once.
type keyPage struct {
	iam.AccessKey
	Path string // of its user's page
}

// File is the key in the format of the AWS tools' credentials file.
func (p keyPage) File() string {
	return "[default]\naws_access_key_id = " + p.ID + "\naws_secret_access_key = " + p.Secret + "\n"
}

// createKey makes an access key. Its secret is on the page that answers, and on
// no other.
func (v *visit) createKey() error {
	who, err := v.mayKeys("iam:CreateAccessKey")
	if err != nil {
		return err
	}
	key, err := v.IAM.CreateAccessKey(v.r.Context(), who.Name)
	if err != nil {
		return err
	}
	v.note("created", key.ID)
	return v.render("accesskey", keyPage{key, who.Path})
}

// mayKeys asks for a right to the access keys of the user in the address.
func (v *visit) mayKeys(action string) (identity, error) {
	who := identity{kind: iam.ByUser, Name: v.r.PathValue("name"), Path: Root + "users/" + v.r.PathValue("name")}
	user, err := v.IAM.User(v.r.Context(), who.Name)
	if err != nil {
		user = iam.User{Name: who.Name, Path: "/"}
	}
	who.ARN = v.IAM.UserARN(user)
	if denied := v.may(action, who.ARN); denied != nil {
		return who, denied
	}
	return who, err
}

// setKey turns an access key on or off, or deletes it.
func (v *visit) setKey() error {
	action, id := "iam:UpdateAccessKey", v.form("key")
	if v.form("to") == "delete" {
		action = "iam:DeleteAccessKey"
	}
	v.note("changed", id)
	v.note("to", v.form("to"))
	who, err := v.mayKeys(action)
	if err != nil {
		return err
	}
	if v.form("to") == "delete" {
		err = v.IAM.DeleteAccessKey(v.r.Context(), who.Name, id)
	} else {
		err = v.IAM.SetAccessKey(v.r.Context(), who.Name, id, v.form("to") == "on")
	}
	if err != nil {
		return err
	}
	return v.to(who.Path, "saved")
}

func (v *visit) setUserInline() error {
	return v.setInline(iam.ByUser, func(g granted) error { return v.showUser(http.StatusBadRequest, g) })
}

func (v *visit) setUserManaged() error { return v.setManaged(iam.ByUser) }

func (v *visit) deleteUser() error {
	who, err := v.identityInPath(iam.ByUser, "Delete", "")
	if err != nil {
		return err
	}
	if err := v.IAM.DeleteUser(v.r.Context(), who.Name); err != nil {
		return err
	}
	return v.to(Root+"users", "deleted")
}

var userRoutes = []route{
	{"GET /console/users", (*visit).users},
	{"POST /console/users", (*visit).createUser},
	{"GET /console/users/{name}", (*visit).user},
	{"POST /console/users/{name}/keys", (*visit).createKey},
	{"POST /console/users/{name}/key", (*visit).setKey},
	{"POST /console/users/{name}/inline", (*visit).setUserInline},
	{"POST /console/users/{name}/managed", (*visit).setUserManaged},
	{"POST /console/users/{name}/delete", (*visit).deleteUser},
}
