package console

import (
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"

	"thingd/internal/fault"
	"thingd/internal/iam"
)

// Accounts makes and lists the accounts of the server.
type Accounts interface {
	Create(ctx context.Context, id string) (iam.AccessKey, error)
	List(ctx context.Context) ([]string, error)
}

// Each account has a Console of its own, and the browser sees one: whose session
// a request belongs to answers it. Of the server's first account it is the one
// that takes sign-ins, and knows the others.

// others are the consoles of further accounts.
func (c *Console) others() []*Console {
	if c.Others == nil {
		return nil
	}
	return c.Others()
}

// of finds the console whose session a request belongs to.
func (c *Console) of(r *http.Request) *Console {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil || r.URL.Path == Root+"signin" {
		return c
	}
	for _, other := range c.others() {
		if other.sessions.find(cookie.Value) != nil {
			return other
		}
	}
	return c
}

// admit finds the account that an access key belongs to, and who signs in there.
func (c *Console) admit(ctx context.Context, key, secret string) (*Console, iam.Actor, error) {
	actor, err := c.IAM.SignIn(ctx, key, secret)
	if err == nil || fault.CodeOf(err) == fault.Internal {
		return c, actor, err
	}
	for _, other := range c.others() {
		actor, failed := other.IAM.SignIn(ctx, key, secret)
		if failed == nil || fault.CodeOf(failed) == fault.Internal {
			return other, actor, failed
		}
	}
	return c, actor, err
}

// accountsPage lists the accounts of the server.
type accountsPage struct {
	outcome
	Accounts []account
	Account  string // of the form
	Creates  bool   // this account may make others
	Made     *madeAccount
}

// account is one account. Its folder is to the command line what the data folder
// is for the first account.
type account struct {
	ID, Folder  string
	First, Here bool
	Opens       bool // a click leads into it
}

// madeAccount is a new account with its root access key, shown once.
type madeAccount struct {
	account
	Key iam.AccessKey
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func (v *visit) accounts() error { return v.listAccounts(http.StatusOK, accountsPage{}) }

func (v *visit) listAccounts(status int, page accountsPage) error {
	if err := v.may("thingd:ListAccounts", "*"); err != nil {
		return err
	}
	ids, err := v.Accounts.List(v.r.Context())
	if err != nil {
		return err
	}
	page.Creates = v.Others != nil && v.may("thingd:CreateAccount", "*") == nil
	for i, id := range ids {
		one := v.account(id, i == 0 && v.Others != nil)
		one.Opens = page.Creates && !one.Here
		page.Accounts = append(page.Accounts, one)
	}
	return v.renderWith(status, "accounts", page)
}

// otherAccounts lists the IDs of the others, where the visitor may.
func (v *visit) otherAccounts() ([]string, error) {
	if v.may("thingd:ListAccounts", "*") != nil {
		return nil, nil
	}
	ids, err := v.Accounts.List(v.r.Context())
	return without(ids, []string{v.Scope.Account}), err
}

func (v *visit) account(id string, first bool) account {
	one := account{ID: id, Folder: v.Data, First: first, Here: id == v.Scope.Account}
	if v.Others != nil && !first {
		one.Folder = filepath.Join(v.Data, "accounts", id)
	}
	return one
}

// createAccount makes an account and shows its root access key.
func (v *visit) createAccount() error {
	id := v.form("account")
	v.note("account", id)
	if err := v.may("thingd:CreateAccount", "*"); err != nil {
		return err
	}
	key, err := v.makeAccount(id)
	if err != nil {
		page := accountsPage{outcome: v.outcomeOf(err), Account: id}
		return v.listAccounts(page.Status, page)
	}
	return v.listAccounts(http.StatusOK, accountsPage{Made: &madeAccount{v.account(id, false), key}})
}

func (v *visit) makeAccount(id string) (iam.AccessKey, error) {
	if !accountID.MatchString(id) {
		return iam.AccessKey{}, v.wrong("account.digits")
	}
	known, err := v.Accounts.List(v.r.Context())
	if err != nil {
		return iam.AccessKey{}, err
	}
	if slices.Contains(known, id) {
		return iam.AccessKey{}, v.taken(id)
	}
	return v.Accounts.Create(v.r.Context(), id)
}

// openAccount leads into another account, as its root. Whoever may make accounts
// may do so: the API gives them the root access keys. Leaving it leads back.
func (v *visit) openAccount() error {
	id := v.form("account")
	v.note("account", id)
	if err := v.may("thingd:CreateAccount", "*"); err != nil {
		return err
	}
	others := v.others()
	at := slices.IndexFunc(others, func(c *Console) bool { return c.Scope.Account == id })
	if at < 0 {
		return fault.NotFound("Account %s does not exist on this server", id)
	}
	there := others[at]
	root, err := there.IAM.RootKey(v.r.Context())
	if err != nil {
		return err
	}
	actor, err := there.IAM.SignIn(v.r.Context(), root.ID, root.Secret)
	if err != nil {
		return err
	}
	there.Log.Info("console: signed in", "who", actor.ARN, "by", v.actor.ARN, "from", v.r.RemoteAddr)
	cookie, err := v.r.Cookie(cookieName(v.r))
	if err != nil {
		return err
	}
	setCookie(v.w, v.r, there.sessions.add(root.ID, cookie.Value))
	return v.to(Root, "")
}

// Visiting says whether somebody came here from the server's first account.
func (v *view) Visiting() bool { return v.session != nil && v.session.from != "" }

// AccountID names the account, where the server has more than one.
func (v *view) AccountID() string {
	if v.session == nil || v.Others != nil && len(v.others()) == 0 {
		return ""
	}
	return v.Scope.Account
}

var accountsRoutes = []route{
	{"GET /console/settings/accounts", (*visit).accounts},
	{"POST /console/settings/accounts", (*visit).createAccount},
	{"POST /console/settings/accounts/open", (*visit).openAccount},
}
