package api_test

import (
	"context"
	"testing"
	"time"

	"thingd/internal/arn"
	"thingd/internal/credentials"
)

func tagsOf(aliases *credentials.Service) map[string]func(context.Context, arn.ARN) (bool, error) {
	return map[string]func(context.Context, arn.ARN) (bool, error){
		"rolealias": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			return aliases.Exists(ctx, id)
		},
	}
}

func TestRoleAliasOperations(t *testing.T) {
	f := newEdgeFront(t)
	const name = `"roleAlias":"a=@,_-1","roleAliasArn":"arn:aws:iot:us-east-1:111122223333:rolealias/a=@,_-1"`
	f.rest("POST", "/role-aliases/a=@,_-1", `{"roleArn":"`+edgeRole+`","tags":[{"Key":"k","Value":"v"}]}`, 200, `{`+name+`}`)
	f.rest("POST", "/role-aliases/a%3D%40%2C_-1", `{"roleArn":"`+edgeRole+`"}`, 409, `{"message":"Role alias a=@,_-1 already exists",
		"resourceId":"a=@,_-1","resourceArn":"arn:aws:iot:us-east-1:111122223333:rolealias/a=@,_-1"}`)
	f.rest("GET", "/role-aliases/a=@,_-1", "", 200, `{"roleAliasDescription":{`+name+`,"roleArn":"`+edgeRole+`","owner":"111122223333",
		"credentialDurationSeconds":3600,"creationDate":1700000000.5,"lastModifiedDate":1700000000.5}}`)
	f.rest("GET", "/tags?resourceArn=arn:aws:iot:us-east-1:111122223333:rolealias/a%3D%40%2C_-1", "", 200, `{"tags":[{"Key":"k","Value":"v"}]}`)

	f.now = f.now.Add(time.Second)
	f.rest("PUT", "/role-aliases/a=@,_-1", `{"credentialDurationSeconds":900}`, 200, `{`+name+`}`)
	f.rest("PUT", "/role-aliases/a=@,_-1", `{"roleArn":"`+edgeRole+`2"}`, 200, `{`+name+`}`)
	f.rest("GET", "/role-aliases/a=@,_-1", "", 200, `{"roleAliasDescription":{`+name+`,"roleArn":"`+edgeRole+`2","owner":"111122223333",
		"credentialDurationSeconds":900,"creationDate":1700000000.5,"lastModifiedDate":1700000001.5}}`)

	f.rest("POST", "/role-aliases/b", `{"roleArn":"`+edgeRole+`","credentialDurationSeconds":43200}`, 200,
		`{"roleAlias":"b","roleAliasArn":"arn:aws:iot:us-east-1:111122223333:rolealias/b"}`)
	f.rest("GET", "/role-aliases", "", 200, `{"roleAliases":["b","a=@,_-1"]}`)
	f.rest("GET", "/role-aliases?isAscendingOrder=true", "", 200, `{"roleAliases":["a=@,_-1","b"]}`)
	f.rest("DELETE", "/role-aliases/b", "", 200, `{}`)
	f.rest("GET", "/role-aliases", "", 200, `{"roleAliases":["a=@,_-1"]}`)

	for _, method := range []string{"GET", "PUT", "DELETE"} {
		f.rest(method, "/role-aliases/b", `{}`, 404, `{"message":"Role alias b does not exist"}`)
	}
	f.rest("POST", "/role-aliases/b", `{"roleArn":"arn:aws:iam::999999999999:role/x"}`, 400,
		`{"message":"\"arn:aws:iam::999999999999:role/x\" is not the ARN of a role of account 111122223333"}`)
}
