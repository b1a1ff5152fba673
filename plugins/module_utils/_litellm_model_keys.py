# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What LiteLLM knows of a deployment, with the kind of value each takes. Written by tools/litellm_keys.py."""

from __future__ import annotations

from collections.abc import Mapping


def _table(**kinds: str) -> Mapping[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PROVIDERS = _names(
    """
    a2a a2a_agent abliteration ai21 ai21_chat aihubmix aiml aiohttp_openai amazon_nova anthropic anthropic_text
    apertis assemblyai auto_router aws_polly aws_textract azure azure_ai azure_speech azure_text baseten bedrock
    bedrock_mantle black_forest_labs bytez cerebras charity_engine chatgpt chutes clarifai cloudflare codestral
    cognition cohere cohere_chat cometapi compactifai cortecs crusoe cursor custom custom_openai darkbloom
    dashscope databricks datarobot deepgram deepinfra deepseek docker_model_runner dotprompt edenai elevenlabs
    empiriolabs empower fal_ai featherless_ai fireworks_ai friendliai galadriel gdc gemini gigachat github
    github_copilot gmi gradient_ai groq helicone heroku hosted_vllm huggingface humanloop hyperbolic inception
    infinity jina_ai lambda_ai langflow langfuse langgraph lemonade libertai litellm_agent litellm_proxy llamafile
    llamagate lm_studio manus maritalk meta meta_llama milvus minimax mistral modelscope mongodb moonshot morph
    nadir nano-gpt nebius neosantara nlp_cloud novita nscale nvidia_nim nvidia_riva oci ollama ollama_chat
    oobabooga openai openai_like openrouter ovhcloud parasail perplexity petals pg_vector pinstripes poe predibase
    prism publicai qwen_ai_platform qwencloud ragflow recraft reducto reka replicate runwayml s3_vectors sagemaker
    sagemaker_chat sagemaker_nova sail sambanova sap sarvam scaleway scx-ai snowflake soniox stability
    strands_decider synthetic tencent tensormesh text-completion-codestral text-completion-inception
    text-completion-openai together_ai topaz transcribe triton typesafe v0 valkey veniceai vercel_ai_gateway
    vertex_ai vertex_ai_beta vllm volcengine voyage wandb watsonx watsonx_text xai xiaomi_mimo xinference zai
    """
)

MODES = _names(
    """
    audio_speech audio_transcription chat completion embedding evaluation extraction guardrail image_edit
    image_generation moderation ocr realtime rerank responses search vector_store video_generation
    """
)

BLOCKED_VARIABLES = _names(
    """
    DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH HOME LD_LIBRARY_PATH LD_PRELOAD LOGNAME NO_PROXY PATH PYTHONHOME
    PYTHONPATH PYTHONSTARTUP SHELL USER no_proxy
    """
)

LITELLM_PARAMS: Mapping[str, str] = _table(
    any="""
    acompletion aembedding aimg_generation allm_passthrough_route allowed_model_region allowed_openai_params
    arize_api_key arize_error_sampling_rate arize_otlp_protocol arize_space_id arize_space_key
    arize_success_sampling_rate assistant_continue_message async_call atext_completion attempted_targets audio
    azure azure_ad_token_provider base_model base_url bos_token cache cache_key caching caching_groups client
    client_side_timeout complete_response completion_call_id context_window_fallback_dict cooldown_time
    cost_per_query custom_prompt_dict data_residency dd_agent_host dd_agent_port dd_api_key dd_site
    default_headers deployment_id dimensions disable_add_transform_inline_image_block drop_params
    enable_json_schema_validation enable_prompt_caching enable_tag_filtering encoding_format
    ensure_alternating_roles eos_token extra_body extra_headers fallback_depth fallbacks fastest_response
    final_prompt_value force_timeout frequency_penalty function_call functions gcs_path_service_account guardrails
    headers hf_model_name humanloop_api_key id include_server_side_tool_invocations langfuse_environment
    langfuse_host langfuse_prompt_version langfuse_public_key langfuse_secret langfuse_secret_key
    langfuse_span_scope langsmith_api_key langsmith_base_url langsmith_project langsmith_sampling_rate
    langsmith_tenant_id litellm_call_id litellm_disabled_callbacks litellm_logging_obj litellm_metadata
    litellm_request_debug litellm_session_id litellm_system_prompt litellm_trusted_callback_vars
    log_client_error_tracebacks logger_fn logit_bias logprobs max_agentic_loops max_completion_tokens
    max_fallbacks max_parallel_requests max_tokens metadata mock_response mock_timeout modalities model_alias_map
    model_config model_file_id_mapping model_list n newrelic_api_key newrelic_region num_retries order
    parallel_tool_calls posthog_api_key posthog_api_url prediction presence_penalty preset_cache_key
    prompt_cache_key prompt_cache_retention prompt_environment prompt_id prompt_label prompt_variables
    prompt_version provider_specific_header proxy_server_request reasoning_effort request_timeout response_format
    retry_policy retry_strategy roles routing_strategy rust safety_identifier search_tool_name secret_fields seed
    service_tier shared_session signoz_ingestion_endpoint signoz_ingestion_key silent_model ssl_verify stop store
    stream stream_chunk_size stream_options stream_response stream_timeout supports_system_message temperature
    text_completion thinking timeout tool_choice tools top_logprobs top_p ttl turn_off_message_logging use_client
    user user_continue_message verbose verbosity vertex_credentials wandb_api_key weave_project_id
    web_search_options weight
    """,
    bool="""
    allow_client_keepalive_override anthropic_disable_workload_identity_federation fireworks_forward_user_id
    merge_reasoning_content_in_choices use_chat_completions_api use_in_pass_through use_litellm_proxy
    use_xai_oauth valkey_ssl
    """,
    int="""
    anthropic_issuer_ttl_seconds auto_router_max_input_chars default_api_key_rpm_limit default_api_key_tpm_limit
    itpm max_retries otpm rpm tpm valkey_port
    """,
    list="""
    aws_session_tags bedrock_tags configurable_clientside_auth_params milvus_partition_names tag_regex tags
    """,
    map="""
    adaptive_router_config complexity_router_config model_info quality_router_config
    stream_timeout_by_service_tier timeout_by_service_tier
    """,
    number="""
    keepalive_seconds max_budget max_file_size_mb
    """,
    text="""
    adaptive_router_default_model anthropic_federation_rule_id anthropic_federation_workspace_id
    anthropic_identity_source anthropic_identity_token anthropic_identity_token_file anthropic_issuer_audience
    anthropic_issuer_signing_key_ref anthropic_issuer_subject anthropic_issuer_url anthropic_keycloak_auth_method
    anthropic_keycloak_client_id anthropic_keycloak_client_secret_ref anthropic_keycloak_scope
    anthropic_keycloak_token_url anthropic_organization_id anthropic_service_account_id api_base api_key
    api_version auto_router_config auto_router_config_path auto_router_default_model auto_router_embedding_model
    auto_router_model_compression auto_router_routing_compression aws_access_key_id aws_batch_role_arn
    aws_bedrock_project_id aws_bedrock_runtime_endpoint aws_external_id aws_profile_name aws_region_name
    aws_role_name aws_secret_access_key aws_session_name aws_session_token aws_sts_endpoint aws_web_identity_token
    azure_ad_token azure_password azure_scope azure_username bucket_name budget_duration client_id client_secret
    complexity_router_default_model custom_llm_provider gcs_bucket_name litellm_credential_name litellm_trace_id
    milvus_db_name milvus_text_field model openai_identity_provider_id openai_identity_token_file
    openai_service_account_id organization provider_affinity_header quality_router_default_model region_name
    s3_access_key_id s3_bucket_name s3_bucket_owner s3_encryption_key_id s3_endpoint_url s3_output_bucket_name
    s3_region_name s3_secret_access_key tenant_id valkey_embedding_field valkey_host valkey_password
    valkey_text_field vector_store_id vertex_location vertex_project watsonx_region_name
    """,
)

MODEL_INFO: Mapping[str, str] = _table(
    any="""
    access_groups access_via_team_ids allowed_fails allowed_fails_policy background_health_check_failed
    background_health_check_model_groups created_at custom_tokenizer disable_background_health_check display_name
    health_check_max_tokens health_check_max_tokens_non_reasoning health_check_max_tokens_reasoning
    health_check_model health_check_params health_check_reasoning_effort
    health_check_skip_disabled_background_models health_check_supports_max_tokens health_check_timeout
    health_check_voice itpm key otpm ptu_effective_from ptu_effective_to supported_environments
    supported_openai_params updated_at
    """,
    bool="""
    allow_fail_open bedrock_converse_supports_strict_tools blocked db_model discoverable enable_tag_filtering
    gemini_audio_only_live gemini_native_audio internal_router_model member_auto_router supports_adaptive_thinking
    supports_anthropic_compaction supports_anthropic_thinking_payload supports_assistant_prefill
    supports_audio_input supports_audio_output supports_bedrock_converse_tool_result_images
    supports_bedrock_native_structured_output supports_bedrock_runtime_chat_completions_inline_reasoning
    supports_bedrock_runtime_chat_completions_response_format
    supports_bedrock_runtime_chat_completions_tools_with_reasoning supports_box_questions supports_computer_use
    supports_embedding_image_input supports_fast_mode supports_forced_tool_use supports_function_calling
    supports_image_input supports_image_size supports_legacy_thinking supports_low_reasoning_effort
    supports_max_reasoning_effort supports_mid_conversation_system supports_minimal_reasoning_effort
    supports_multimodal supports_native_streaming supports_native_structured_output supports_none_reasoning_effort
    supports_nova_canvas_image_edit supports_output_config supports_parallel_function_calling
    supports_parallel_tool_use_config supports_pdf_input supports_prompt_cache_breakpoint supports_prompt_caching
    supports_reasoning supports_regex_lookaround supports_response_schema supports_sampling_params supports_speed
    supports_system_messages supports_thinking_cache_preservation supports_tool_choice supports_tool_search
    supports_url_context supports_video_input supports_vision supports_web_search supports_xhigh_reasoning_effort
    thinking_always_on use_openai_responses_path uses_embed_content
    """,
    int="""
    max_input_tokens max_output_tokens max_tokens ptu_count token_count_framing
    """,
    list="""
    access_windows reasoning_effort_levels supported_audio_formats supported_endpoints supported_modalities
    supported_output_modalities supported_regions
    """,
    map="""
    guardrail_cost_per_unit metadata off_peak_pricing provider_specific_entry search_free_requests
    token_count_model
    """,
    number="""
    cache_creation_input_token_cost_above_1hr_above_200k_tokens
    cache_creation_input_token_cost_above_272k_tokens_decisions cache_creation_input_token_cost_decisions
    cache_read_input_token_cost_above_272k_tokens_decisions cache_read_input_token_cost_decisions
    code_interpreter_cost_per_session computer_use_input_cost_per_1k_tokens computer_use_output_cost_per_1k_tokens
    cost_per_ptu_per_hour explicit_cache_read_input_token_cost file_search_cost_per_1k_calls
    file_search_cost_per_gb_per_day input_cost_per_audio_token_priority input_cost_per_request
    input_cost_per_text_message input_cost_per_token_above_272k_tokens_decisions input_cost_per_token_decisions
    input_dbu_cost_per_token output_cost_per_token_above_272k_tokens_decisions output_cost_per_token_decisions
    output_dbu_cost_per_token prompt_cache_min_tokens rpm tpm vector_store_cost_per_gb_per_day
    """,
    text="""
    audio_transcription_config base_model bedrock_output_config_effort_ceiling comment created_by
    default_reasoning_effort deprecation_date id litellm_provider mode source team_id team_public_model_name tier
    token_count_tokenizer updated_by vertex_ai_audio_api web_search_billing_unit
    """,
)

PRICING = _names(
    """
    annotation_cost_per_page annotation_cost_per_page_batches cache_creation_input_audio_token_cost
    cache_creation_input_token_cost cache_creation_input_token_cost_above_100k_tokens
    cache_creation_input_token_cost_above_100k_tokens_batches cache_creation_input_token_cost_above_1hr
    cache_creation_input_token_cost_above_1hr_above_100k_tokens cache_creation_input_token_cost_above_200k_tokens
    cache_creation_input_token_cost_above_200k_tokens_batches cache_creation_input_token_cost_above_272k_tokens
    cache_creation_input_token_cost_above_272k_tokens_batches
    cache_creation_input_token_cost_above_272k_tokens_flex
    cache_creation_input_token_cost_above_272k_tokens_priority
    cache_creation_input_token_cost_above_272k_tokens_ultrafast cache_creation_input_token_cost_batches
    cache_creation_input_token_cost_flex cache_creation_input_token_cost_priority
    cache_creation_input_token_cost_ultrafast cache_read_input_audio_token_cost cache_read_input_image_token_cost
    cache_read_input_token_cost cache_read_input_token_cost_above_100k_tokens
    cache_read_input_token_cost_above_100k_tokens_batches cache_read_input_token_cost_above_200k_tokens
    cache_read_input_token_cost_above_200k_tokens_batches cache_read_input_token_cost_above_200k_tokens_priority
    cache_read_input_token_cost_above_272k_tokens cache_read_input_token_cost_above_272k_tokens_batches
    cache_read_input_token_cost_above_272k_tokens_flex cache_read_input_token_cost_above_272k_tokens_priority
    cache_read_input_token_cost_above_272k_tokens_ultrafast cache_read_input_token_cost_above_512k_tokens
    cache_read_input_token_cost_balanced cache_read_input_token_cost_batches cache_read_input_token_cost_flex
    cache_read_input_token_cost_priority cache_read_input_token_cost_ultrafast citation_cost_per_token
    cost_per_second google_maps_grounding_cost_per_query input_cost_per_audio_per_second
    input_cost_per_audio_per_second_above_128k_tokens input_cost_per_audio_token
    input_cost_per_audio_token_batches input_cost_per_character input_cost_per_character_above_128k_tokens
    input_cost_per_image input_cost_per_image_above_128k_tokens input_cost_per_image_token
    input_cost_per_image_token_batches input_cost_per_pixel input_cost_per_query input_cost_per_second
    input_cost_per_token input_cost_per_token_above_100k_tokens input_cost_per_token_above_100k_tokens_batches
    input_cost_per_token_above_128k_tokens input_cost_per_token_above_200k_tokens
    input_cost_per_token_above_200k_tokens_batches input_cost_per_token_above_200k_tokens_priority
    input_cost_per_token_above_272k_tokens input_cost_per_token_above_272k_tokens_batches
    input_cost_per_token_above_272k_tokens_flex input_cost_per_token_above_272k_tokens_priority
    input_cost_per_token_above_272k_tokens_ultrafast input_cost_per_token_above_512k_tokens
    input_cost_per_token_balanced input_cost_per_token_batches input_cost_per_token_cache_hit
    input_cost_per_token_flex input_cost_per_token_priority input_cost_per_token_ultrafast
    input_cost_per_video_per_second input_cost_per_video_per_second_above_128k_tokens
    input_cost_per_video_per_second_above_15s_interval input_cost_per_video_per_second_above_8s_interval
    input_cost_per_video_token input_cost_per_video_token_batches ocr_cost_per_credit ocr_cost_per_page
    ocr_cost_per_page_batches output_cost_per_audio_per_second output_cost_per_audio_token
    output_cost_per_character output_cost_per_character_above_128k_tokens output_cost_per_image
    output_cost_per_image_1024 output_cost_per_image_1536 output_cost_per_image_512 output_cost_per_image_token
    output_cost_per_image_token_batches output_cost_per_pixel output_cost_per_reasoning_token
    output_cost_per_reasoning_token_flex output_cost_per_reasoning_token_priority output_cost_per_second
    output_cost_per_second_1080p output_cost_per_second_2k output_cost_per_second_480p output_cost_per_second_4k
    output_cost_per_second_720p output_cost_per_second_768p output_cost_per_token
    output_cost_per_token_above_100k_tokens output_cost_per_token_above_100k_tokens_batches
    output_cost_per_token_above_128k_tokens output_cost_per_token_above_200k_tokens
    output_cost_per_token_above_200k_tokens_batches output_cost_per_token_above_200k_tokens_priority
    output_cost_per_token_above_272k_tokens output_cost_per_token_above_272k_tokens_batches
    output_cost_per_token_above_272k_tokens_flex output_cost_per_token_above_272k_tokens_priority
    output_cost_per_token_above_272k_tokens_ultrafast output_cost_per_token_above_512k_tokens
    output_cost_per_token_balanced output_cost_per_token_batches output_cost_per_token_flex
    output_cost_per_token_priority output_cost_per_token_ultrafast output_cost_per_video_per_second
    output_cost_per_video_token output_vector_size regional_endpoint_uplift_multiplier
    regional_processing_uplift_multiplier_eu regional_processing_uplift_multiplier_us
    search_context_cost_per_query tiered_pricing
    """
)
