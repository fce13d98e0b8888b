package console

import (
	"net/http"
	"slices"
)

// route is one page or deed of people who are signed in.
type route struct {
	pattern string
	handle  func(*visit) error
}

// routes lists them all but those of signing in.
func routes() []route {
	return slices.Concat([]route{
		{"GET /console/{$}", (*visit).home},
		{"POST /console/signout", (*visit).signOut},
		{"GET /console/settings", (*visit).settings},
		{"GET /console/root-ca.pem", (*visit).rootCA},
	}, connectRoutes, thingRoutes, shadowRoutes, certificateRoutes, policyRoutes, clientRoutes, ruleRoutes, whyRoutes,
		destinationRoutes, bucketRoutes, overviewRoutes, connectionRoutes, accountRoutes, auditRoutes, importRoutes, integrationRoutes,
		thingTypeRoutes, thingGroupRoutes, billingGroupRoutes, tagRoutes, newCertificateRoutes, authorityRoutes, simulatorRoutes,
		roleAliasRoutes, roleRoutes, userRoutes, fleetRoutes, fleetJobRoutes, fleetPlanRoutes, accountsRoutes)
}

// front puts the routes together and guards them.
func (c *Console) front() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /console/assets/", assets())
	mux.HandleFunc("GET /console/signin", c.signIn)
	mux.HandleFunc("POST /console/signin", c.signInWithKey)
	for _, r := range routes() {
		mux.HandleFunc(r.pattern, c.page(r.handle))
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, Root, http.StatusSeeOther)
	})
	mux.HandleFunc("GET /console/", c.page((*visit).nowhere))
	return guarded(mux)
}

// contentPolicy lets pages run our scripts and styles, and nothing else; not
// even inline ones.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded sets the headers that keep other sites out. Requests that a browser
// says come from another site may change nothing, signing in included.
func guarded(h http.Handler) http.Handler {
	sameSite := http.NewCrossOriginProtection().Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		sameSite.ServeHTTP(w, r)
	})
}
