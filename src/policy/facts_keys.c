/* SPDX-License-Identifier: Apache-2.0
 *
 * Condition keys and their types (IAM User Guide, "AWS global condition context keys"; Service Authorization Reference).
 * "*" stands for any text, "#" for the number of a register, 0 to 31.
 */
#include "policy/facts.h"

#include <stddef.h>

const struct cof_key_list cof_facts_key_lists[] = {
    /* global */
    {COF_KEY_STRING, false,
        "aws:PrincipalAccount aws:PrincipalOrgID aws:PrincipalTag/* aws:PrincipalType aws:PrincipalServiceName "
        "aws:userid aws:username aws:SourceIdentity aws:FederatedProvider aws:AssumedRoot aws:RequestedRegion "
        "aws:RequestTag/* aws:ResourceTag/* aws:ResourceAccount aws:ResourceOrgID aws:SourceAccount "
        "aws:SourceOrgID aws:SourceVpc aws:SourceVpce aws:VpceAccount aws:VpceOrgID aws:UserAgent aws:Referer "
        "aws:CalledViaFirst aws:CalledViaLast aws:Ec2InstanceSourceVpc identitystore:UserId glue:RoleAssumedBy "
        "glue:CredentialIssuingService"},
    {COF_KEY_STRING, true,
        "aws:PrincipalOrgPaths aws:PrincipalServiceNamesList aws:TagKeys aws:ResourceOrgPaths aws:SourceOrgPaths "
        "aws:VpceOrgPaths aws:CalledVia"},
    {COF_KEY_ARN, false,
        "aws:PrincipalArn aws:SourceArn aws:SourceVpcArn aws:ChatbotSourceArn"},
    {COF_KEY_BOOL, false,
        "aws:MultiFactorAuthPresent aws:SecureTransport aws:ViaAWSService aws:PrincipalIsAWSService"},
    {COF_KEY_NUMERIC, false,
        "aws:MultiFactorAuthAge"},
    {COF_KEY_DATE, false,
        "aws:CurrentTime aws:EpochTime aws:TokenIssueTime"},
    {COF_KEY_IP, false,
        "aws:SourceIp aws:VpcSourceIp aws:Ec2InstanceSourcePrivateIPv4"},
    /* kms */
    {COF_KEY_STRING, false,
        "kms:CallerAccount kms:CustomerMasterKeySpec kms:CustomerMasterKeyUsage kms:DataKeyPairSpec "
        "kms:EncryptionAlgorithm kms:EncryptionContext:* kms:ExpirationModel kms:GrantConstraintType "
        "kms:GranteePrincipal kms:GranteeServicePrincipal kms:KeyAgreementAlgorithm kms:KeyOrigin kms:KeySpec "
        "kms:KeyUsage kms:MacAlgorithm kms:MessageType kms:MultiRegionKeyType kms:PrimaryRegion "
        "kms:RecipientAttestation:ImageSha384 kms:RecipientAttestation:NitroTPMPCR# kms:RecipientAttestation:PCR# "
        "kms:ReplicaRegion kms:RequestAlias kms:RetiringPrincipal kms:RetiringServicePrincipal "
        "kms:SigningAlgorithm kms:ViaService kms:WrappingAlgorithm kms:WrappingKeySpec"},
    {COF_KEY_STRING, true,
        "kms:EncryptionContextKeys kms:GrantOperations kms:ResourceAliases"},
    {COF_KEY_ARN, false,
        "kms:GrantConstraintSourceArn"},
    {COF_KEY_BOOL, false,
        "kms:BypassPolicyLockoutSafetyCheck kms:GrantIsForAWSResource kms:MultiRegion kms:ReEncryptOnSameKey"},
    {COF_KEY_NUMERIC, false,
        "kms:RotationPeriodInDays kms:ScheduleKeyDeletionPendingWindowInDays kms:TrailingDaysWithoutKeyUsage"},
    {COF_KEY_DATE, false,
        "kms:ValidTo"},
    /* s3 */
    {COF_KEY_STRING, false,
        "s3:AccessGrantScope s3:AccessGrantsLocationScope s3:AccessPointNetworkOrigin s3:AccessPointTag/* "
        "s3:BucketTag/* s3:DataAccessPointAccount s3:ExistingJobOperation s3:ExistingObjectTag/* "
        "s3:JobSuspendedCause s3:RequestJobOperation s3:RequestObjectTag/* s3:ResourceAccount "
        "s3:annotation-prefix s3:authType s3:delimiter s3:destinationRegion s3:if-match s3:if-none-match "
        "s3:locationconstraint s3:logType s3:object-lock-event-hold s3:object-lock-legal-hold s3:object-lock-mode "
        "s3:prefix s3:signatureversion s3:versionid s3:x-amz-acl s3:x-amz-bucket-namespace "
        "s3:x-amz-content-sha256 s3:x-amz-copy-source s3:x-amz-grant-full-control s3:x-amz-grant-read "
        "s3:x-amz-grant-read-acp s3:x-amz-grant-write s3:x-amz-grant-write-acp s3:x-amz-metadata-directive "
        "s3:x-amz-object-annotation-directive s3:x-amz-object-if-match s3:x-amz-object-ownership "
        "s3:x-amz-server-side-encryption s3:x-amz-server-side-encryption-customer-algorithm "
        "s3:x-amz-storage-class s3:x-amz-website-redirect-location"},
    {COF_KEY_STRING, true,
        "s3:InventoryAccessibleOptionalFields s3:RequestObjectTagKeys"},
    {COF_KEY_ARN, false,
        "s3:AccessGrantsInstanceArn s3:DataAccessPointArn s3:deliverySourceArn s3:resourceArnBeingAuthorized "
        "s3:x-amz-server-side-encryption-aws-kms-key-id"},
    {COF_KEY_BOOL, false,
        "s3:ObjectCreationOperation s3:isReplicationPauseRequest"},
    {COF_KEY_NUMERIC, false,
        "s3:ExistingJobPriority s3:RequestJobPriority s3:TlsVersion s3:max-annotation-results s3:max-keys "
        "s3:object-lock-event-hold-duration-days s3:object-lock-remaining-retention-days s3:signatureAge"},
    {COF_KEY_DATE, false,
        "s3:object-lock-retain-until-date"},
    /* sts */
    {COF_KEY_STRING, false,
        "sts:AWSServiceName sts:ExternalId sts:RequestContext/* sts:RoleSessionName sts:SigningAlgorithm "
        "sts:SourceIdentity"},
    {COF_KEY_STRING, true,
        "sts:IdentityTokenAudience sts:TransitiveTagKeys"},
    {COF_KEY_ARN, false,
        "sts:TaskPolicyArn"},
    {COF_KEY_ARN, true,
        "sts:RequestContextProviders"},
    {COF_KEY_BOOL, false,
        "sts:RoleAuthorizedByIdp"},
    {COF_KEY_NUMERIC, false,
        "sts:DurationSeconds"},
    /* iam */
    {COF_KEY_STRING, false,
        "iam:AWSServiceName iam:DelegationDuration iam:FIDO-FIPS-140-2-certification "
        "iam:FIDO-FIPS-140-3-certification iam:FIDO-certification iam:NotificationChannel "
        "iam:OrganizationsPolicyId iam:PassedToService iam:RegisterSecurityKey iam:ResourceTag/* "
        "iam:ServiceSpecificCredentialServiceName"},
    {COF_KEY_STRING, true,
        "iam:AccountPropertyNamespaces"},
    {COF_KEY_ARN, false,
        "iam:AssociatedResourceArn iam:DelegationRequestOwner iam:PermissionsBoundary iam:PolicyARN "
        "iam:RoleTemplateARN iam:TemplateArn"},
    {COF_KEY_NUMERIC, false,
        "iam:ServiceSpecificCredentialAgeDays"},
    /* other services */
    {COF_KEY_STRING, false,
        "logs:data_source_name logs:data_source_type sns:Endpoint sns:Protocol ssm:AccessRequestId "
        "ssm:DocumentType ssm:NodeAccountId ssm:NodeOrgId ssm:Overwrite ssm:Policies ssm:Recursive ssm:SyncType "
        "ssm:resourceTag/* ssm:resourceTag/aws:ssmmessages:session-id ssm:resourceTag/aws:ssmmessages:target-id "
        "ssm:resourceTag/tag-key cloudwatch:HasAccessGrant cloudwatch:namespace autoscaling:ImageId "
        "autoscaling:InstanceType autoscaling:InstanceTypes autoscaling:LaunchConfigurationName "
        "autoscaling:MetadataHttpEndpoint autoscaling:MetadataHttpTokens autoscaling:OperatorPrincipal "
        "autoscaling:ResourceTag/* events:ManagedBy events:Metadata/*/Matcher events:PolicyName "
        "events:SystemMetadata/AwsDetailType events:SystemMetadata/AwsSource events:SystemMetadata/ContentType "
        "events:creatorAccount events:detail.eventTypeCode events:detail.service "
        "events:detail.userIdentity.principalId events:eventBusInvocation lambda:EventSourceToken "
        "lambda:FunctionUrlAuthType lambda:Principal lambda:VpcIds ec2:Add/group ec2:Add/userId ec2:AllocationId "
        "ec2:Attribute ec2:Attribute/* ec2:AuthenticationType ec2:AuthorizedService ec2:AuthorizedUser "
        "ec2:AutoPlacement ec2:AvailabilityZone ec2:AvailabilityZoneId ec2:BootModeOverride "
        "ec2:CpuOptionsAmdSevSnp ec2:CreateAction ec2:DhcpOptionsID ec2:Domain ec2:ElasticGpuType ec2:EndDateType "
        "ec2:FisActionId ec2:GatewayType ec2:HostRecovery ec2:ImageID ec2:ImageType ec2:InsideTunnelCidr "
        "ec2:InsideTunnelIpv6Cidr ec2:InstanceAutoRecovery ec2:InstanceBandwidthWeighting ec2:InstanceID "
        "ec2:InstanceMarketType ec2:InstanceMatchCriteria ec2:InstanceMetadataTags ec2:InstanceType "
        "ec2:InternetGatewayID ec2:InterruptibleCapacityReservationId ec2:InterruptionType "
        "ec2:IpamPrefixListResolverTargetId ec2:Ipv4IpamPoolId ec2:Ipv6IpamPoolId ec2:KeyPairName ec2:KeyPairType "
        "ec2:KmsKeyId ec2:Location ec2:ManagedResourceOperator ec2:MetadataHttpEndpoint ec2:MetadataHttpTokens "
        "ec2:NetworkAclID ec2:NetworkInterfaceID ec2:Owner ec2:Permission ec2:PlacementGroupName "
        "ec2:PlacementGroupStrategy ec2:ProductCode ec2:PublicIpAddress ec2:Region ec2:Remove/group "
        "ec2:Remove/userId ec2:ReplayWindowSizePackets ec2:ReservedInstancesOfferingType ec2:ResourceTag/* "
        "ec2:RootDeviceType ec2:RouteTableID ec2:RoutingType ec2:SecurityGroupID ec2:SnapshotID ec2:SnapshotTime "
        "ec2:SourceAvailabilityZone ec2:SubnetID ec2:Tenancy ec2:VolumeID ec2:VolumeType ec2:VpcID "
        "ec2:VpcPeeringConnectionID ec2:VpceMultiRegion ec2:VpcePrivateDnsPreference ec2:VpceServiceName "
        "ec2:VpceServiceOwner ec2:VpceServicePrivateDnsName ec2:VpceServiceRegion ec2:VpceSupportedRegion "
        "ec2:transitGatewayAttachmentId ec2:transitGatewayConnectPeerId ec2:transitGatewayId "
        "ec2:transitGatewayMeteringPolicyId ec2:transitGatewayMulticastDomainId ec2:transitGatewayPolicyTableId "
        "ec2:transitGatewayRouteTableAnnouncementId ec2:transitGatewayRouteTableId"},
    {COF_KEY_STRING, true,
        "ssm:DocumentCategories ssm:DocumentVersion ssm:InventoryTypeName cloudwatch:AlarmActions "
        "cloudwatch:requestInsightRuleLogGroups autoscaling:CapacityReservationIds "
        "autoscaling:CapacityReservationResourceGroupArns autoscaling:LoadBalancerNames "
        "autoscaling:TargetCapacityTypes autoscaling:TrafficSourceIdentifiers autoscaling:VPCZoneIdentifiers "
        "events:Metadata/* events:detail-type events:source lambda:Layer lambda:SecurityGroupIds lambda:SubnetIds "
        "ec2:IKEVersions ec2:Phase1DHGroup ec2:Phase1EncryptionAlgorithms ec2:Phase1IntegrityAlgorithms "
        "ec2:Phase2DHGroup ec2:Phase2EncryptionAlgorithms ec2:Phase2IntegrityAlgorithms "
        "ec2:VpcePrivateDnsSpecifiedDomains"},
    {COF_KEY_ARN, false,
        "logs:DeliveryDestinationResourceArn ssm:SourceInstanceARN lambda:CodeSigningConfigArn lambda:FunctionArn "
        "lambda:SourceFunctionArn ec2:AccepterVpc ec2:CapacityReservationFleet ec2:ClientRootCertificateChainArn "
        "ec2:CloudwatchLogGroupArn ec2:CloudwatchLogStreamArn ec2:DestinationCapacityReservationId "
        "ec2:DirectoryArn ec2:InstancePlatform ec2:InstanceProfile ec2:LaunchTemplate ec2:NewInstanceProfile "
        "ec2:OutpostArn ec2:ParentSnapshot ec2:ParentVolume ec2:PlacementGroup ec2:RequesterVpc "
        "ec2:SamlProviderArn ec2:ServerCertificateArn ec2:SourceCapacityReservationId ec2:SourceInstanceARN "
        "ec2:SourceOutpostArn ec2:Subnet ec2:Vpc"},
    {COF_KEY_ARN, true,
        "logs:LogGeneratingResourceArns cloudwatch:requestManagedResourceARNs autoscaling:TargetGroupARNs "
        "events:EventBusArn events:TargetArn ec2:FisTargetArns"},
    {COF_KEY_BOOL, false,
        "ssm:AutoApprove ssm:SessionDocumentAccessCheck autoscaling:ForceDelete "
        "autoscaling:LaunchTemplateVersionSpecified events:ContentFilterPresent lambda:InvokedViaFunctionUrl "
        "ec2:AssociatePublicIpAddress ec2:EbsOptimized ec2:Encrypted ec2:EphemeralStorage ec2:IsInterruptible "
        "ec2:IsLaunchTemplateResource ec2:Public"},
    {COF_KEY_NUMERIC, false,
        "autoscaling:MaxSize autoscaling:MetadataHttpPutResponseHopLimit autoscaling:MinSize "
        "autoscaling:SpotPrice ec2:CommitmentDuration ec2:DPDTimeoutSeconds ec2:InstanceCount "
        "ec2:MetadataHttpPutResponseHopLimit ec2:Phase1LifetimeSeconds ec2:Phase2LifetimeSeconds ec2:Quantity "
        "ec2:RekeyFuzzPercentage ec2:RekeyMarginTimeSeconds ec2:RoleDelivery ec2:SnapshotCoolOffPeriod "
        "ec2:SnapshotLockDuration ec2:TargetInstanceCount ec2:VolumeInitializationRate ec2:VolumeIops "
        "ec2:VolumeSize ec2:VolumeThroughput"},
    {COF_KEY_DATE, false,
        "ec2:CreateDate ec2:EndDate"},
    {COF_KEY_UNKNOWN, false, NULL},
};
