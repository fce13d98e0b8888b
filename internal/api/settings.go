package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/settings"
)

// SetLoggingOptions sets the older generation of the logging options.
func (a *IoT) SetLoggingOptions(ctx context.Context, in *iot.SetLoggingOptionsRequest) error {
	p := in.LoggingOptionsPayload
	return a.Settings.SetLogging(ctx, settings.Logging{RoleARN: p.RoleArn, Level: settings.Level(p.LogLevel)})
}

// GetLoggingOptions gives the older generation of the logging options.
func (a *IoT) GetLoggingOptions(ctx context.Context, _ *iot.GetLoggingOptionsRequest) (*iot.GetLoggingOptionsResponse, error) {
	l, err := a.Settings.Logging(ctx)
	return &iot.GetLoggingOptionsResponse{RoleArn: l.RoleARN, LogLevel: string(l.Level)}, err
}

// SetV2LoggingOptions sets the logging options.
func (a *IoT) SetV2LoggingOptions(ctx context.Context, in *iot.SetV2LoggingOptionsRequest) error {
	return a.Settings.SetLoggingV2(ctx, settings.LoggingV2Update{
		RoleARN: in.RoleArn, Default: settings.Level(in.DefaultLogLevel), Off: in.DisableAllLogs, Events: eventLevels(in.EventConfigurations),
	})
}

func eventLevels(in []iot.LogEventConfiguration) []settings.EventLevel {
	if in == nil {
		return nil
	}
	all := make([]settings.EventLevel, len(in))
	for i, e := range in {
		all[i] = settings.EventLevel{Type: e.EventType, Level: settings.Level(e.LogLevel), Destination: e.LogDestination}
	}
	return all
}

// GetV2LoggingOptions gives the logging options; with verbose, those of event
// types too.
func (a *IoT) GetV2LoggingOptions(ctx context.Context, in *iot.GetV2LoggingOptionsRequest) (*iot.GetV2LoggingOptionsResponse, error) {
	l, err := a.Settings.LoggingV2(ctx)
	if err != nil {
		return nil, err
	}
	out := &iot.GetV2LoggingOptionsResponse{RoleArn: l.RoleARN, DefaultLogLevel: string(l.Default), DisableAllLogs: &l.Off}
	if isTrue(in.Verbose) {
		out.EventConfigurations = make([]iot.LogEventConfiguration, len(l.Events))
		for i, e := range l.Events {
			out.EventConfigurations[i] = iot.LogEventConfiguration{EventType: e.Type, LogLevel: string(e.Level), LogDestination: e.Destination}
		}
	}
	return out, nil
}

// SetV2LoggingLevel sets how much is logged of a target.
func (a *IoT) SetV2LoggingLevel(ctx context.Context, in *iot.SetV2LoggingLevelRequest) error {
	return a.Settings.SetTargetLevel(ctx, settings.TargetLevel{
		Target: settings.Target{Type: settings.TargetType(in.LogTarget.TargetType), Name: in.LogTarget.TargetName},
		Level:  settings.Level(in.LogLevel),
	})
}

// DeleteV2LoggingLevel lets a target be logged like everybody.
func (a *IoT) DeleteV2LoggingLevel(ctx context.Context, in *iot.DeleteV2LoggingLevelRequest) error {
	return a.Settings.DeleteTargetLevel(ctx, settings.Target{Type: settings.TargetType(in.TargetType), Name: in.TargetName})
}

// ListV2LoggingLevels lists how much is logged of targets.
func (a *IoT) ListV2LoggingLevels(ctx context.Context, in *iot.ListV2LoggingLevelsRequest) (*iot.ListV2LoggingLevelsResponse, error) {
	levels, next, err := a.Settings.TargetLevels(ctx, settings.TargetType(in.TargetType), page(in.NextToken, in.MaxResults))
	all := make([]iot.LogTargetConfiguration, len(levels))
	for i, l := range levels {
		all[i] = iot.LogTargetConfiguration{
			LogTarget: &iot.LogTarget{TargetType: string(l.Target.Type), TargetName: l.Target.Name}, LogLevel: string(l.Level),
		}
	}
	return &iot.ListV2LoggingLevelsResponse{LogTargetConfigurations: all, NextToken: next}, err
}

// DescribeEncryptionConfiguration tells whose key encrypts the account's data.
func (a *IoT) DescribeEncryptionConfiguration(ctx context.Context, _ *iot.DescribeEncryptionConfigurationRequest) (*iot.DescribeEncryptionConfigurationResponse, error) {
	e, err := a.Settings.Encryption(ctx)
	return &iot.DescribeEncryptionConfigurationResponse{
		EncryptionType: e.Type, ConfigurationDetails: &iot.ConfigurationDetails{ConfigurationStatus: "HEALTHY"}, LastModifiedDate: e.Modified,
	}, err
}

// UpdateEncryptionConfiguration says whose key shall encrypt the account's data.
func (a *IoT) UpdateEncryptionConfiguration(ctx context.Context, in *iot.UpdateEncryptionConfigurationRequest) (*iot.UpdateEncryptionConfigurationResponse, error) {
	return &iot.UpdateEncryptionConfigurationResponse{}, a.Settings.SetEncryption(ctx, in.EncryptionType, in.KmsKeyArn, in.KmsAccessRoleArn)
}
