# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings LiteLLM knows, by section, with the kind of value each takes. Written by tools/litellm_keys.py."""

from __future__ import annotations

from collections.abc import Mapping

LITELLM_VERSION = "1.106.2"

MAX_FALLBACKS = 5
ALLOWED_FAILS = 3


def _table(**kinds: str) -> Mapping[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOP_LEVEL = _names(
    """
    agent_list agents assistant_settings callback_settings credential_list default_vertex_config
    environment_variables files_settings finetune_settings general_settings guardrails include litellm_settings
    mcp_servers mcp_tools model_list policies policy_attachments prompts router_settings sandbox_tools
    search_tools vector_store_registry worker_registry
    """
)

ROUTING_STRATEGIES = _names(
    """
    cost-based-routing lar1 latency-based-routing least-busy provider-budget-routing simple-shuffle
    usage-based-routing usage-based-routing-v2
    """
)

PRE_CALL_CHECKS = _names(
    """
    deployment_affinity encrypted_content_affinity enforce_model_rate_limits forward_client_headers_by_model_group
    prompt_caching responses_api_deployment_check router_budget_limiting session_affinity
    """
)

CACHE_TYPES = _names(
    """
    azure-blob disk gcs local qdrant-semantic redis redis-semantic s3 valkey-semantic
    """
)

RETRY_POLICY = _names(
    """
    AuthenticationErrorRetries BadRequestErrorRetries ContentPolicyViolationErrorRetries DefaultRetries
    InternalServerErrorRetries NotFoundErrorRetries RateLimitErrorRetries ServiceUnavailableErrorRetries
    TimeoutErrorRetries
    """
)

ALLOWED_FAILS_POLICY = _names(
    """
    AuthenticationErrorAllowedFails BadGatewayErrorAllowedFails BadRequestErrorAllowedFails
    ContentPolicyViolationErrorAllowedFails InternalServerErrorAllowedFails NotFoundErrorAllowedFails
    RateLimitErrorAllowedFails ServiceUnavailableErrorAllowedFails TimeoutErrorAllowedFails
    """
)

CALLBACKS = _names(
    """
    agentops anthropic_cache_control_hook aporia_prompt_injection argilla arize arize_phoenix athina aws_sqs
    azure_content_safety azure_sentinel azure_storage banned_keywords batch_redis_requests bitbucket
    blocked_user_check braintrust clickhouse cloudzero code_interpreter_interception compression_interception
    datadog datadog_cost_management datadog_llm_observability datadog_metrics deepeval detect_prompt_injection
    dotprompt dynamic_rate_limiter dynamic_rate_limiter_v3 dynamodb focus galileo gcs_bucket gcs_pubsub
    generic_api gitlab google_text_moderation greenscale helicone hide_secrets humanloop lago
    lakera_prompt_injection langfuse langfuse_otel langsmith langtrace levo litellm_agent literalai
    llamaguard_moderations llmguard_moderations logfire lunary mavvrik mlflow newrelic openai_moderations
    openmeter opik otel pagerduty pointfive posthog presidio prometheus promptlayer resend_email s3 s3_v2
    sendgrid_email sentry signoz slack smtp_email supabase traceloop vantage vector_store_pre_call_hook wandb
    weave_otel websearch_interception zerobus
    """
)

LICENSED = _names(
    """
    admin_only_routes allowed_ips allowed_routes enable_jwt_auth enable_oauth2_auth enforced_params
    max_request_size_mb max_response_size_mb public_routes
    """
)

LICENSED_CALLBACKS = _names(
    """
    banned_keywords blocked_user_check google_text_moderation hide_secrets llamaguard_moderations
    llmguard_moderations openai_moderations
    """
)

ROUTER_SETTINGS: Mapping[str, str] = _table(
    any="""
    alerting_config allowed_fails_policy assistants_config auto_router_capability_limit fallback_access_check
    fallback_budget_check retry_policy router_general_settings
    """,
    bool="""
    cache_responses disable_cooldowns enable_health_check_routing enable_pre_call_checks enable_tag_filtering
    enable_weighted_failover health_check_ignore_transient_errors ignore_invalid_deployments set_verbose
    tag_filtering_match_any
    """,
    int="""
    allowed_fails client_ttl default_max_parallel_requests default_priority deployment_affinity_ttl_seconds
    health_check_staleness_threshold max_fallbacks num_retries redis_db redis_port retry_after
    """,
    list="""
    background_health_check_model_groups caching_groups content_policy_fallbacks context_window_fallbacks
    default_fallbacks fallbacks guardrail_list model_list optional_pre_call_checks plugins routing_groups
    search_tools
    """,
    map="""
    cache_kwargs default_litellm_params model_group_affinity_config model_group_alias model_group_retry_policy
    provider_budget_config routing_strategy_args
    """,
    number="""
    cooldown_time polling_interval stream_timeout timeout
    """,
    text="""
    debug_level redis_host redis_password redis_url routing_strategy tag_routing_prefix
    """,
)

LITELLM_SETTINGS: Mapping[str, str] = _table(
    any="""
    azure_content_safety_params banned_keywords_list blocked_user_list budget_reset_time cache cache_params
    code_interpreter_interception_params cold_storage_custom_logger compression_interception_params
    custom_provider_map datadog_llm_observability_params datadog_params default_mcp_sampling_model
    default_team_params enable_post_custom_auth_checks enable_redis_auth_cache encoding
    forward_llm_provider_auth_headers global_prompt_directory guardrails in_memory_llm_clients_cache
    key_generation_settings logged_real_time_event_types mcp_aliases mcp_semantic_tool_filter model_group_settings
    model_list newrelic_params pointfive_params presidio_logging_only priority_reservation_settings
    prompt_injection_params proxy_auth responses scim_admin_group scim_upsert_user ssl_verify timezone
    upperbound_key_generate_params vector_store_index_registry vector_store_registry
    vector_store_search_failure_mode websearch_interception_params zerobus_params
    """,
    bool="""
    add_function_to_prompt add_user_information_to_llm_headers aiohttp_trust_env allow_dynamic_callback_disabling
    apply_search_free_tier bedrock_neutralize_orphaned_tool_blocks block_requests_for_models_without_pricing
    budget_rollover check_provider_endpoint datadog_use_v1 disable_add_prefix_to_prompt
    disable_add_transform_inline_image_block disable_add_user_agent_to_request_tags disable_aiohttp_transport
    disable_aiohttp_trust_env disable_anthropic_gemini_context_caching_transform
    disable_copilot_system_to_assistant disable_end_user_cost_tracking
    disable_end_user_cost_tracking_prometheus_only disable_hf_tokenizer_download disable_stop_sequence_limit
    disable_streaming_logging disable_token_counter disable_vertex_batch_output_transformation drop_params
    enable_anthropic_prompt_caching enable_azure_ad_token_refresh
    enable_caching_on_provider_specific_optional_params enable_end_user_cost_tracking_prometheus_only
    enable_gemini_default_thinking_level_low enable_json_schema_validation enable_key_alias_format_validation
    enable_loadbalancing_on_batch_endpoints enable_model_config_credential_overrides enable_preview_features
    expose_router_debug_in_errors filter_invalid_headers force_ipv4 force_redis_hash_tag_grouping
    forward_traceparent_to_llm_provider gcs_pub_sub_use_v1 gemini_live_defer_setup generic_api_use_v1
    global_disable_no_log_param http2 include_cost_in_streaming_usage json_logs langfuse_enable_update_trace_keys
    log_auth_failure_key_identity log_client_error_tracebacks log_raw_request_response modify_params network_mock
    openai_system_messages_first output_parse_pii overwrite_user_with_key_hash
    prometheus_emit_input_sequence_length_label prometheus_emit_rate_limit_labels prometheus_emit_stream_label
    prometheus_initialize_budget_metrics prometheus_user_budget_label_include_email_alias
    public_mcp_hub_strict_whitelist public_skills_index reasoning_auto_summary redact_messages_in_exceptions
    redact_user_api_key_info request_correlation_in_logs request_timeout_explicitly_set
    require_auth_for_metrics_endpoint require_managed_files return_response_headers
    route_all_chat_openai_to_responses safe_memory_mode set_verbose skip_system_message_in_guardrail
    skip_tool_message_in_guardrail store_audit_logs strip_anthropic_total_tokens suppress_debug_info
    turn_off_message_logging use_aiohttp_transport use_chat_completions_url_for_anthropic_messages use_client
    use_litellm_proxy user_url_validation validate_end_user_id_in_db
    """,
    int="""
    allowed_fails argilla_batch_size budget_exceeded_status_code langsmith_batch_size max_fallbacks max_tokens
    num_retries num_retries_per_request prometheus_end_user_metrics_max_series_per_metric
    prometheus_metrics_max_series_per_metric
    """,
    list="""
    adapters audit_log_callbacks bedrock_request_metadata_fields callbacks content_policy_fallbacks
    context_window_fallbacks credential_list custom_prometheus_metadata_labels custom_prometheus_tags
    default_fallbacks default_team_settings extra_spend_tag_headers failure_callback fallbacks input_callback
    langfuse_default_tags model_fallbacks post_call_rules pre_call_rules prometheus_exclude_labels
    prometheus_exclude_metrics prometheus_latency_buckets prometheus_metrics_config
    provider_url_destination_allowed_hosts public_agent_groups public_mcp_servers public_model_groups
    service_callback standard_logging_payload_excluded_fields success_callback user_url_allowed_hosts
    """,
    map="""
    argilla_transformation_object aws_sqs_callback_params callback_settings common_cloud_provider_auth_params
    cost_discount_config cost_margin_config custom_prompt_dict default_internal_user_params
    default_key_generate_params default_key_max_budget_alert_emails generic_logger_headers global_bitbucket_config
    global_gitlab_config longer_context_model_fallback_dict mcp_tool_search priority_reservation
    public_model_groups_links s3_audit_callback_params s3_callback_params tag_budget_config
    vertex_ai_safety_settings
    """,
    number="""
    anthropic_sse_ping_interval_seconds budget_exceeded_throttle_percentage default_in_memory_ttl
    default_max_internal_user_budget default_redis_batch_cache_expiry default_redis_ttl default_soft_budget
    google_moderation_confidence_threshold max_budget max_end_user_budget max_internal_user_budget
    max_ui_session_budget max_user_budget prometheus_end_user_metrics_cleanup_interval_seconds
    prometheus_end_user_metrics_ttl_seconds prometheus_metrics_cleanup_interval_seconds
    prometheus_metrics_ttl_seconds request_timeout sse_keepalive_ping_interval_seconds
    """,
    text="""
    agent_search_embedding_model anthropic_beta_headers_url anthropic_prompt_caching_ttl autorouter_presets_url
    blog_posts_url budget_duration dynamodb_table_name gdc_api_base internal_user_budget_duration
    key_alias_pattern llamaguard_model_name llamaguard_unsafe_content_categories llm_guard_mode
    max_end_user_budget_id openai_moderations_model_name otel_tenant_destination_mode predibase_tenant_id
    presidio_ad_hoc_recognizers prometheus_deployment_and_latency_caller_identity skill_search_embedding_model
    ssl_certificate ssl_ecdh_curve ssl_security_level vertex_location vertex_project
    """,
)

GENERAL_SETTINGS: Mapping[str, str] = _table(
    any="""
    admin_only_routes alert_type_config allow_client_side_credentials allow_public_health_readiness_details
    allow_requests_on_db_unavailable allow_user_auth allowed_ips always_include_stream_usage
    auto_redirect_ui_login_to_sso coordination_redis custom_auth_run_common_checks custom_key_generate
    custom_key_policy custom_key_update custom_sso custom_team_metadata_validate custom_ui_sso_sign_in_handler
    database_args database_connection_pool_timeout default_team_disabled disable_batch_input_file_rate_limiting
    disable_bedrock_agent_runtime_passthrough disable_custom_api_keys disable_error_logs
    disable_key_generate_for_org_admin disable_master_key_return disable_model_info_refresh
    disable_prisma_schema_update disable_reset_budget disable_retry_on_max_parallel_request_limit_error
    disable_spend_logs disable_spend_updates drain_endpoint_token enable_drain_endpoint
    enable_health_check_routing enable_jwt_auth enable_mcp_registry enable_oauth2_auth enable_oauth2_proxy_auth
    enforce_rbac enforce_user_param enforced_params expose_fallback_errors_to_caller
    fail_closed_budget_enforcement forward_llm_provider_auth_headers forward_openai_org_id health_check_details
    health_check_ignore_transient_errors health_check_staleness_threshold hide_default_credentials_hint
    key_management_settings key_management_system litellm_jwtauth litellm_key_header_name litellm_license
    maximum_spend_logs_cleanup_cron maximum_spend_logs_retention_interval mcp_advertised_versions
    mcp_allow_all_keys_respects_mcp_scope mcp_client_side_auth_header_name mcp_session_token_signing
    oauth2_config_mappings passthrough_managed_object_ids password_policy_check_breached_passwords
    proxy_batch_polling_interval proxy_batch_write_at proxy_budget_rescheduler_max_time
    proxy_budget_rescheduler_min_time public_routes require_end_user_mcp_access_defined
    require_key_mcp_access_defined role_permissions scheduled_job_stagger search_tools service_account_settings
    skip_batch_input_file_rate_limiting_for_models skip_batch_input_file_rate_limiting_for_providers
    spend_capture_rate_check spend_logs_metadata_fields spend_report_frequency team_metadata_schema
    team_metadata_validation_error_message team_metadata_validation_timeout token_rate_limit_type tracing
    track_unmanaged_batch_cost use_redis_transaction_buffer use_shared_health_check use_team_public_model_name
    use_x_forwarded_for user_api_key_cache_ttl
    """,
    bool="""
    allow_cli_sso_verification_uri_complete allow_unmanaged_response_ids apply_user_budget_to_team_keys
    background_health_checks cancel_on_disconnect dangerously_allow_mock_testing_request_params
    dangerously_permit_weak_or_unset_master_key
    database_disable_prepared_statements disable_auto_add_proxy_admin_to_teams disable_budget_reservation
    disable_env_credential_login disable_password_login_when_sso_enabled disable_responses_id_security
    enable_claude_code_gateway enable_openai_websocket_passthrough enable_public_model_hub
    enforce_fallback_model_access fail_closed_rate_limit_enforcement forward_client_headers_to_llm_api
    health_check_skip_disabled_background_models include_call_id_in_error_body infer_model_from_keys
    mcp_prefer_client_id_metadata_document model_list_healthy_only otel password_policy_require_lowercase
    password_policy_require_numbers password_policy_require_special_characters password_policy_require_uppercase
    reject_clientside_metadata_tags search_tool_deny_by_default store_model_in_db store_prompts_in_spend_logs
    use_azure_key_vault use_google_kms use_spend_logs_partitioning user_url_validation
    vector_store_deny_by_default
    """,
    int="""
    alerting_threshold database_connection_pool_limit failed_login_block_seconds failed_login_window_seconds
    global_max_parallel_requests health_check_concurrency health_check_interval max_batch_file_records
    max_batch_file_size_mb max_batch_file_uploads_per_day max_failed_login_attempts_per_source
    max_file_downloads_per_minute max_file_size_mb max_in_flight_requests_per_worker max_parallel_requests
    max_queued_requests_per_worker max_request_size_mb max_response_size_mb maximum_spend_logs_cleanup_batch_size
    maximum_spend_logs_cleanup_max_batches mcp_xff_num_trusted_hops password_policy_min_length
    proxy_config_reload_interval_seconds user_api_key_cache_max_size
    """,
    list="""
    alert_types alerting allowed_file_extensions allowed_routes background_health_check_model_groups
    blocked_file_extensions mcp_allowed_clients mcp_internal_ip_ranges mcp_required_fields
    mcp_trusted_proxy_ranges pass_through_endpoints plugins provider_url_destination_allowed_hosts
    supported_db_objects transcribe_media_buckets trusted_proxy_ranges user_header_mappings user_url_allowed_hosts
    """,
    map="""
    alert_to_webhook_url alerting_args claude_code_gateway_managed_settings database_extra_connection_params
    max_failed_login_attempts_per_source_overrides
    """,
    number="""
    admission_queue_timeout_seconds database_connect_timeout database_connection_timeout
    database_max_idle_connection_lifetime database_socket_timeout pass_through_request_timeout
    responses_websocket_session_limit_seconds
    """,
    text="""
    completion_model control_plane_url custom_auth database_type database_url master_key
    maximum_autorouter_session_retention_period maximum_daily_tag_spend_retention_period
    maximum_health_check_retention_period maximum_spend_logs_cleanup_batch_timeout
    maximum_spend_logs_cleanup_run_budget maximum_spend_logs_retention_period mcp_client_id_header
    missing_session_id ui_access_mode user_header_name user_mcp_management_mode
    """,
)
