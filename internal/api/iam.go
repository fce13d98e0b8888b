package api

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/iam"
)

// IAM keeps users, roles and policies.
type IAM struct {
	IAM *iam.Service
}

// document writes a policy document as IAM does in answers: percent-encoded,
// which every SDK undoes.
func document(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func iamPage(marker string, size *int, prefix string) iam.Page {
	p := iam.Page{Marker: marker, PathPrefix: prefix}
	if size != nil {
		p.Size = *size
	}
	return p
}

// truncated is IsTruncated for the marker of the next page.
func truncated(next string) *bool { return new(next != "") }

// refuseBoundary is honest about what would otherwise be a hole.
func refuseBoundary(boundary string) error {
	if boundary == "" {
		return nil
	}
	return fault.InvalidRequest("Permissions boundaries are not supported here.")
}

func iamTagsIn(tags []iamapi.Tag) []iam.Tag {
	var all []iam.Tag
	for _, tag := range tags {
		all = append(all, iam.Tag{Key: tag.Key, Value: tag.Value})
	}
	return all
}

func iamTagsOut(tags []iam.Tag) []iamapi.Tag {
	all := make([]iamapi.Tag, len(tags))
	for i, tag := range tags {
		all[i] = iamapi.Tag{Key: tag.Key, Value: tag.Value}
	}
	return all
}

// CreateUser adds a user.
func (a *IAM) CreateUser(ctx context.Context, in *iamapi.CreateUserRequest) (*iamapi.CreateUserResponse, error) {
	if err := refuseBoundary(in.PermissionsBoundary); err != nil {
		return nil, err
	}
	u, err := a.IAM.CreateUser(ctx, iam.User{Name: in.UserName, Path: in.Path, Tags: iamTagsIn(in.Tags)})
	if err != nil {
		return nil, err
	}
	return &iamapi.CreateUserResponse{User: new(a.user(u))}, nil
}

func (a *IAM) user(u iam.User) iamapi.User {
	return iamapi.User{
		Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: a.IAM.UserARN(u), CreateDate: u.Created, Tags: iamTagsOut(u.Tags),
	}
}

// GetUser gives a user, without a name the caller.
func (a *IAM) GetUser(ctx context.Context, in *iamapi.GetUserRequest) (*iamapi.GetUserResponse, error) {
	name, err := userOrCaller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return a.getRoot(ctx)
	}
	u, err := a.IAM.User(ctx, name)
	if err != nil {
		return nil, err
	}
	return &iamapi.GetUserResponse{User: new(a.user(u))}, nil
}

func (a *IAM) getRoot(ctx context.Context) (*iamapi.GetUserResponse, error) {
	key, err := a.IAM.RootKey(ctx)
	if err != nil {
		return nil, err
	}
	account := wire.CallerFrom(ctx).AccountID
	return &iamapi.GetUserResponse{User: &iamapi.User{
		Path: "/", UserName: "root", UserId: account, Arn: a.IAM.RootARN(), CreateDate: key.Created,
	}}, nil
}

// userOrCaller is the user that a call means: the one it names, else the caller;
// "" is the root.
func userOrCaller(ctx context.Context, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	actor, err := actorOf(ctx)
	if err != nil {
		return "", err
	}
	if actor.Kind == iam.ByRole {
		return "", fault.New(fault.CodeValidation, "Must specify userName when calling with non-User credentials")
	}
	return actor.Name, nil
}

// ListUsers lists users by name.
func (a *IAM) ListUsers(ctx context.Context, in *iamapi.ListUsersRequest) (*iamapi.ListUsersResponse, error) {
	users, next, err := a.IAM.Users(ctx, iamPage(in.Marker, in.MaxItems, in.PathPrefix))
	all := make([]iamapi.User, len(users))
	for i, u := range users {
		all[i] = a.user(u)
	}
	return &iamapi.ListUsersResponse{Users: all, IsTruncated: truncated(next), Marker: next}, err
}

// DeleteUser deletes a user.
func (a *IAM) DeleteUser(ctx context.Context, in *iamapi.DeleteUserRequest) error {
	return a.IAM.DeleteUser(ctx, in.UserName)
}

// CreateAccessKey makes an access key. Its secret is told here and nowhere else.
func (a *IAM) CreateAccessKey(ctx context.Context, in *iamapi.CreateAccessKeyRequest) (*iamapi.CreateAccessKeyResponse, error) {
	user, err := userOrCaller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	key, err := a.IAM.CreateAccessKey(ctx, user)
	if err != nil {
		return nil, err
	}
	return &iamapi.CreateAccessKeyResponse{AccessKey: &iamapi.AccessKey{
		UserName: user, AccessKeyId: key.ID, Status: keyStatus(key), SecretAccessKey: key.Secret, CreateDate: key.Created,
	}}, nil
}

func keyStatus(k iam.AccessKey) string {
	if k.Active {
		return "Active"
	}
	return "Inactive"
}

// ListAccessKeys lists the access keys of a user.
func (a *IAM) ListAccessKeys(ctx context.Context, in *iamapi.ListAccessKeysRequest) (*iamapi.ListAccessKeysResponse, error) {
	user, err := userOrCaller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	keys, err := a.IAM.AccessKeys(ctx, user)
	if err != nil {
		return nil, err
	}
	keys, next, err := iam.Cut(keys, iamPage(in.Marker, in.MaxItems, ""), func(k iam.AccessKey) string { return k.ID })
	all := make([]iamapi.AccessKeyMetadata, len(keys))
	for i, k := range keys {
		all[i] = iamapi.AccessKeyMetadata{UserName: user, AccessKeyId: k.ID, Status: keyStatus(k), CreateDate: k.Created}
	}
	return &iamapi.ListAccessKeysResponse{AccessKeyMetadata: all, IsTruncated: truncated(next), Marker: next}, err
}

// UpdateAccessKey turns an access key on or off.
func (a *IAM) UpdateAccessKey(ctx context.Context, in *iamapi.UpdateAccessKeyRequest) error {
	user, err := userOrCaller(ctx, in.UserName)
	if err != nil {
		return err
	}
	return a.IAM.SetAccessKey(ctx, user, in.AccessKeyId, in.Status == "Active")
}

// DeleteAccessKey deletes an access key.
func (a *IAM) DeleteAccessKey(ctx context.Context, in *iamapi.DeleteAccessKeyRequest) error {
	user, err := userOrCaller(ctx, in.UserName)
	if err != nil {
		return err
	}
	return a.IAM.DeleteAccessKey(ctx, user, in.AccessKeyId)
}

// CreateRole adds a role.
func (a *IAM) CreateRole(ctx context.Context, in *iamapi.CreateRoleRequest) (*iamapi.CreateRoleResponse, error) {
	if err := refuseBoundary(in.PermissionsBoundary); err != nil {
		return nil, err
	}
	r, err := a.IAM.CreateRole(ctx, iam.Role{
		Name: in.RoleName, Path: in.Path, Trust: in.AssumeRolePolicyDocument, Description: in.Description,
		SessionMax: seconds(in.MaxSessionDuration), Tags: iamTagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &iamapi.CreateRoleResponse{Role: new(a.role(r))}, nil
}

func (a *IAM) role(r iam.Role) iamapi.Role {
	return iamapi.Role{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: a.IAM.RoleARN(r), CreateDate: r.Created,
		AssumeRolePolicyDocument: document(r.Trust), Description: r.Description,
		MaxSessionDuration: new(int(r.SessionMax.Seconds())), Tags: iamTagsOut(r.Tags),
	}
}

// GetRole gives a role.
func (a *IAM) GetRole(ctx context.Context, in *iamapi.GetRoleRequest) (*iamapi.GetRoleResponse, error) {
	r, err := a.IAM.Role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iamapi.GetRoleResponse{Role: new(a.role(r))}, nil
}

// ListRoles lists roles by name.
func (a *IAM) ListRoles(ctx context.Context, in *iamapi.ListRolesRequest) (*iamapi.ListRolesResponse, error) {
	roles, next, err := a.IAM.Roles(ctx, iamPage(in.Marker, in.MaxItems, in.PathPrefix))
	all := make([]iamapi.Role, len(roles))
	for i, r := range roles {
		all[i] = a.role(r)
	}
	return &iamapi.ListRolesResponse{Roles: all, IsTruncated: truncated(next), Marker: next}, err
}

// DeleteRole deletes a role.
func (a *IAM) DeleteRole(ctx context.Context, in *iamapi.DeleteRoleRequest) error {
	return a.IAM.DeleteRole(ctx, in.RoleName)
}

// UpdateAssumeRolePolicy changes who may assume a role.
func (a *IAM) UpdateAssumeRolePolicy(ctx context.Context, in *iamapi.UpdateAssumeRolePolicyRequest) error {
	return a.IAM.ChangeRole(ctx, in.RoleName, func(r *iam.Role) { r.Trust = in.PolicyDocument })
}

// TagRole adds tags to a role, or changes their values.
func (a *IAM) TagRole(ctx context.Context, in *iamapi.TagRoleRequest) error {
	return a.IAM.ChangeRole(ctx, in.RoleName, func(r *iam.Role) {
		for _, tag := range iamTagsIn(in.Tags) {
			r.Tags = append(without(r.Tags, tag.Key), tag)
		}
	})
}

// UntagRole takes tags from a role.
func (a *IAM) UntagRole(ctx context.Context, in *iamapi.UntagRoleRequest) error {
	return a.IAM.ChangeRole(ctx, in.RoleName, func(r *iam.Role) {
		for _, key := range in.TagKeys {
			r.Tags = without(r.Tags, key)
		}
	})
}

func without(tags []iam.Tag, key string) []iam.Tag {
	return slices.DeleteFunc(tags, func(t iam.Tag) bool { return t.Key == key })
}

// ListRoleTags lists the tags of a role.
func (a *IAM) ListRoleTags(ctx context.Context, in *iamapi.ListRoleTagsRequest) (*iamapi.ListRoleTagsResponse, error) {
	r, err := a.IAM.Role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	tags, next, err := iam.Cut(r.Tags, iamPage(in.Marker, in.MaxItems, ""), func(t iam.Tag) string { return t.Key })
	return &iamapi.ListRoleTagsResponse{Tags: iamTagsOut(tags), IsTruncated: truncated(next), Marker: next}, err
}

// ListInstanceProfilesForRole is empty: there are no instances here. Clients ask
// before they delete a role.
func (a *IAM) ListInstanceProfilesForRole(ctx context.Context, in *iamapi.ListInstanceProfilesForRoleRequest) (*iamapi.ListInstanceProfilesForRoleResponse, error) {
	_, err := a.IAM.Role(ctx, in.RoleName)
	return &iamapi.ListInstanceProfilesForRoleResponse{InstanceProfiles: []iamapi.InstanceProfile{}, IsTruncated: truncated("")}, err
}
