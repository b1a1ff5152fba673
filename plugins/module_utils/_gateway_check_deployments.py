# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a deployment: what LiteLLM acts on, what it hands to the engine, what does nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_sections import RETRIES, SECONDS
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    Deployment,
    Finding,
    as_errors,
    error,
    graded,
    is_reference,
    likely,
    warning,
    words,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_keys import LITELLM_VERSION
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_model_keys import (
    LITELLM_PARAMS,
    MODEL_INFO,
    MODES,
    PRICING,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field, check

# Providers whose engine gets every parameter that LiteLLM does not know, as it stands, in the body of the request.
PASSING_ON = words("""
    openai custom_openai openai_like text-completion-openai hosted_vllm ollama ollama_chat llamafile lm_studio
    docker_model_runner lemonade litellm_proxy
    """)

# Parameters of vLLM, llama.cpp and Ollama beyond the API of OpenAI: to hand them on is what they are written for.
_ENGINE = words("""
    add_generation_prompt add_special_tokens allowed_token_ids bad_words best_of cache_prompt cache_salt chat_template
    chat_template_kwargs continue_final_message documents dry_allowed_length dry_base dry_multiplier dry_penalty_last_n
    dry_sequence_breakers dynatemp_exponent dynatemp_range echo format grammar guided_choice guided_grammar guided_json
    guided_regex id_slot ignore_eos include_stop_str_in_output json_schema keep_alive kv_transfer_params
    length_penalty logits_processors main_gpu min_keep min_p min_tokens mirostat mirostat_eta mirostat_tau
    mm_processor_kwargs n_keep n_predict n_probs num_batch num_ctx num_gpu num_keep num_predict num_thread options
    prompt_logprobs reasoning_format repeat_last_n repeat_penalty repetition_penalty response_fields return_token_ids
    return_tokens_as_token_ids samplers skip_special_tokens spaces_between_special_tokens stop_token_ids
    structured_outputs suffix t_max_predict_ms tfs_z think thinking_budget_tokens top_k truncate_prompt_tokens typical_p
    use_beam_search use_mlock use_mmap vllm_xargs xtc_probability xtc_threshold
    """)

# What people note about a model; LiteLLM has no field of this name, and model_info takes any.
_NOTES = words("capabilities comment description family notes owner priority quantization size")

# Parameters that people put into model_info, where LiteLLM does not look for them.
_ACTING = words("""
    api_base api_key base_url custom_llm_provider default_api_key_rpm_limit default_api_key_tpm_limit drop_params
    extra_body extra_headers max_parallel_requests max_retries model num_retries order request_timeout stream_timeout
    temperature timeout top_p weight
    """)

_LIMIT = Field("int", "a whole number per minute", low=1)
_FIELDS: Mapping[str, Field] = {
    "timeout": SECONDS,
    "stream_timeout": SECONDS,
    "request_timeout": SECONDS,
    "cooldown_time": SECONDS,
    "num_retries": RETRIES,
    "max_retries": RETRIES,
    "max_parallel_requests": Field("int", "a number of requests", low=1),
    "rpm": _LIMIT,
    "tpm": _LIMIT,
    "default_api_key_rpm_limit": _LIMIT,
    "default_api_key_tpm_limit": _LIMIT,
    "weight": Field("number", low=0),
    "order": Field("int", low=0),
    "temperature": Field("number", low=0),
    "top_p": Field("number", low=0, high=1),
    "max_tokens": Field("int", "a number of tokens", low=1),
    "drop_params": Field("bool"),
    "extra_body": Field("map"),
    "extra_headers": Field("map"),
}
_MODE = Field(choices=tuple(sorted(MODES)), what="what a model can be for")

# LiteLLM turns the text of a variable into a number for these; elsewhere it stays text.
_CONVERTED = ("int", "number")


def check_deployment(deployment: Deployment) -> Iterator[Finding]:
    """Yield a finding for each key of a deployment that is misspelt, misplaced or of the wrong kind."""
    for key, value in deployment.params.items():
        if key != "model":
            yield from _check_param(key, value, deployment)
    for key, value in deployment.info.items():
        yield from _check_info(key, value, f"{deployment.path}.model_info.{key}")


def _check_param(key: str, value: object, deployment: Deployment) -> Iterator[Finding]:
    path = f"{deployment.params_path}.{key}"
    if key == "fallbacks":
        wrong = "is not what the router falls back to."
        yield error(path, NOTHING, wrong, "Write it in router_settings.fallbacks, below this deployment's name.")
    elif key in LITELLM_PARAMS:
        yield from _check_value(key, value, path)
    elif key not in PRICING and key not in _ENGINE:
        yield _unknown(str(key), path, deployment.provider in PASSING_ON)


def _check_value(key: str, value: object, path: str) -> Iterator[Finding]:
    kind = LITELLM_PARAMS[key]
    spec = _FIELDS.get(key, Field(kind))
    if key in ("api_key", "api_base", "base_url") or (is_reference(value) and _may_be_text(spec.kind, kind)):
        return
    yield from as_errors(check(value, spec, path))


def _may_be_text(wanted: str, declared: str) -> bool:
    return wanted not in ("int", "number", "list", "map") or declared in _CONVERTED


def _unknown(key: str, path: str, passed_on: bool) -> Finding:
    if key in MODEL_INFO or key in _NOTES or key.startswith("supports_"):
        wrong = "is a fact about the model, and each request would carry it to the engine."
        return error(path, NOTHING, wrong, "Move it below model_info.")
    wrong = f"is not known to LiteLLM {LITELLM_VERSION}, and each request would carry it to the engine."
    remedy = "If the engine is to get it, write it below extra_body. A note of your own belongs below model_info."
    return graded(passed_on, path, NOTHING, wrong, likely(key, LITELLM_PARAMS) or remedy)


def _check_info(key: str, value: object, path: str) -> Iterator[Finding]:
    kind = MODEL_INFO.get(key, "number" if key in PRICING else "")
    if key == "mode":
        yield from as_errors(check(value, _MODE, path))
    elif key in _ACTING:
        yield error(path, NOTHING, "does nothing here.", "Move it below litellm_params.")
    elif kind in ("bool", "int", "number"):
        yield from as_errors(check(value, Field(kind), path) if value is not None else ())
    elif not kind and likely(key, MODEL_INFO):
        yield warning(path, NOTHING, f"is no fact that LiteLLM {LITELLM_VERSION} reads.", likely(key, MODEL_INFO))
